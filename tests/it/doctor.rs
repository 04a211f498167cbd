//! The doctor's checks of what a command cannot bring about: an identity provider that is sick, and the clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::sync::Arc;

use jiff::SignedDuration;
use kagiya::app::doctor::{Finding, Patient, State, examine};
use kagiya::config::Config;
use kagiya::domain::clock::{Clock, MockClock};
use kagiya::idp::IdentityProvider;

use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{START, TestApp};

async fn finding(
    app: &TestApp,
    clock: Arc<dyn Clock>,
    provider: &Arc<FakeProvider>,
    check: (&str, &str),
) -> Finding {
    // As the program does at its start; it fails where another test did so before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = Config::default();
    config.database.database_url = Some(app.database().url().parse().unwrap());
    let patient = Patient {
        config: &config,
        clock,
        providers: vec![Arc::clone(provider) as Arc<dyn IdentityProvider>],
        min_free: 0,
    };
    let findings = examine(&patient).await;
    let (name, part) = check;
    let found = findings
        .iter()
        .find(|finding| finding.check == name && finding.detail.contains(part));
    found
        .unwrap_or_else(|| panic!("no {name} about {part} in {findings:?}"))
        .clone()
}

#[tokio::test]
async fn a_provider_that_is_sick_is_found_by_its_name() {
    let app = TestApp::new().await;
    let provider = FakeProvider::new("corp");
    let clock: Arc<dyn Clock> = Arc::new(MockClock::at(START.parse().unwrap()));
    let check = ("identity_provider", "corp");
    let found = finding(&app, Arc::clone(&clock), &provider, check).await;
    assert_eq!(found.state, State::Ok);
    for mood in [Mood::FailsBefore, Mood::Hangs] {
        provider.when(Ask::Health, mood);
        let found = finding(&app, Arc::clone(&clock), &provider, check).await;
        assert_eq!(found.state, State::Failed);
        assert!(found.remedy.is_some());
    }
    let builtin = ("identity_provider", "builtin");
    assert_eq!(
        finding(&app, clock, &provider, builtin).await.state,
        State::Ok
    );
}

#[tokio::test]
async fn a_clock_that_is_behind_is_found() {
    let app = TestApp::new().await;
    app.organization("Acme").await;
    let provider = FakeProvider::new("corp");
    let behind = MockClock::at(START.parse().unwrap());
    behind.advance(SignedDuration::from_secs(-3600));
    let found = finding(&app, Arc::new(behind), &provider, ("clock", "it is")).await;
    assert_eq!(found.state, State::Failed);
    assert!(found.remedy.is_some());
}
