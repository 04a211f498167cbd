//! The chains of the audit trail, and what `kagiya audit verify` finds in them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod chains;
mod many;
mod retention;
mod tampering;

use kagiya::broker::audit_verification::{Finding, Problem, TrailReport};

use crate::support::test_app::{Shop, TestApp};

/// An application with a trail of some rows, all in one chain.
async fn app_with_rows() -> TestApp {
    let shop = Shop::new().await;
    for _ in 0..3 {
        shop.key().await;
    }
    let report = shop.app.verify_trail(&[]).await;
    assert_whole(&report);
    assert!(report.rows >= 8, "{report:?}");
    assert_eq!(report.chains, 1);
    shop.app
}

/// Nothing is found.
fn assert_whole(report: &TrailReport) {
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

/// The first thing that is found is this one.
fn assert_finds(report: &TrailReport, problem: Problem, chain: i64, row: i64) -> Finding {
    let first = report.findings.first().expect("something is found").clone();
    assert_eq!(
        (first.problem, first.chain, first.row),
        (problem, Some(chain), Some(row)),
        "{:#?}",
        report.findings
    );
    first
}

/// How many rows a chain has.
async fn length(app: &TestApp, chain: i64) -> i64 {
    let query = format!("SELECT length AS number FROM audit_chains WHERE number = {chain}");
    app.count(&query).await
}
