//! Sessions: new at each sign-in, ended on the server, never longer than they may be.

use serde_json::json;

use super::{Office, PASSWORD, link, operator, sign_in};
use crate::support::browser::Browser;
use crate::support::test_app::TestApp;

/// Whether a browser is signed in.
async fn is_in(browser: &Browser<'_>) -> bool {
    !browser
        .open("/dashboard")
        .await
        .path
        .starts_with("/dashboard/sign-in")
}

#[tokio::test]
async fn what_a_browser_held_before_signing_in_opens_nothing_afterwards() {
    let office = Office::new().await;
    let app = office.app();
    office.member("Ann").await;
    // The attacker knows what the victim's browser holds: a session that he made up, and the visit.
    let victim = Browser::new(app);
    victim.open("/dashboard/sign-in").await;
    let visit = victim.cookie("visit").unwrap();
    let planted = "a".repeat(43);
    victim.plant("session", &planted);
    assert!(!is_in(&victim).await);
    sign_in(&victim, "ann").await;
    assert_ne!(victim.cookie("session").unwrap(), planted);
    assert_eq!(victim.cookie("visit"), None);
    let thief = Browser::new(app);
    thief.plant("session", &planted);
    thief.plant("visit", &visit);
    assert!(!is_in(&thief).await);
}

#[tokio::test]
async fn each_sign_in_has_a_secret_of_its_own() {
    let office = Office::new().await;
    let one = office.member("Ann").await;
    let two = Browser::new(office.app());
    sign_in(&two, "ann").await;
    assert_ne!(one.cookie("session"), two.cookie("session"));
    let account = one.open("/dashboard/account").await;
    account.says("a link").says("password").says("This one");
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let thief = ann.twin();
    assert!(is_in(&thief).await);
    let page = ann.open("/dashboard").await;
    let landed = ann.submit(&page, "/dashboard/sign-out", &[]).await;
    landed.says("You are signed out.");
    assert_eq!(ann.cookie("session"), None);
    assert!(!is_in(&thief).await);
}

#[tokio::test]
async fn an_unused_session_ends_and_a_used_one_too_in_the_end() {
    let office = Office::new().await;
    let (app, ann) = (office.app(), office.member("Ann").await);
    app.pass(719 * 60);
    assert!(is_in(&ann).await);
    // Seven days after it began it is over, however often it was used.
    for _ in 0..13 {
        app.pass(700 * 60);
        assert!(is_in(&ann).await);
    }
    app.pass(265 * 60);
    assert!(!is_in(&ann).await);
    sign_in(&ann, "ann").await;
    app.pass(721 * 60);
    assert!(!is_in(&ann).await);
}

#[tokio::test]
async fn a_person_ends_all_other_sessions_at_once() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let other = Browser::new(office.app());
    sign_in(&other, "ann").await;
    let bob = office.member("Bob").await;
    let page = ann.open("/dashboard/account").await;
    let done = ann
        .submit(&page, "/dashboard/account/sessions/end", &[])
        .await;
    done.says("All other sessions are ended.");
    assert!(!is_in(&other).await);
    assert!(is_in(&ann).await && is_in(&bob).await);
}

#[tokio::test]
async fn whoever_is_shut_out_is_out_at_once_and_comes_in_no_more() {
    let office = Office::new().await;
    let app = office.app();
    let (olga, ann) = (operator(app, "Olga").await, office.member("Ann").await);
    let listed = olga.open("/dashboard/people?q=ann").await;
    let person = listed
        .links()
        .into_iter()
        .find(|link| link.contains("/people/usr_"))
        .unwrap();
    let path = format!("{person}/shut-out");
    let asked = olga.open(&path).await;
    asked.says("All sessions end now");
    olga.submit(&asked, &path, &[]).await.says("Shut out.");
    assert!(!is_in(&ann).await);
    let page = ann.open("/dashboard/sign-in").await;
    let fields = [("login_name", "ann"), ("password", PASSWORD)];
    ann.try_submit(&page, "/dashboard/sign-in", &fields)
        .await
        .expect(422);
    let asked = olga.open(&path).await;
    olga.submit(&asked, &path, &[]).await.says("Let in again.");
    sign_in(&ann, "ann").await;
    assert!(is_in(&ann).await);
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let app = TestApp::new().await;
    let cookies = {
        let olga = operator(&app, "Olga").await;
        olga.cookie("session").unwrap()
    };
    let app = app.restart().await;
    let olga = Browser::new(&app);
    olga.plant("session", &cookies);
    let page = olga.open("/dashboard").await;
    page.says("Olga");
    // And so do its forms.
    olga.submit(&page, "/dashboard/sign-out", &[]).await;
}

#[tokio::test]
async fn two_sessions_at_once_are_none() {
    let app = TestApp::new().await;
    let (one, two) = (operator(&app, "Olga").await, operator(&app, "Oskar").await);
    let both = format!(
        "__Host-kagiya-session={}; __Host-kagiya-session={}",
        one.cookie("session").unwrap(),
        two.cookie("session").unwrap()
    );
    let answer = app.get("/dashboard").header("Cookie", both).send().await;
    let answer = answer.expect(303);
    assert_eq!(answer.header("location"), Some("/dashboard/sign-in"));
}

#[tokio::test]
async fn whoever_is_signed_in_uses_a_link_as_himself() {
    let office = Office::new().await;
    let app = office.app();
    let ann = office.member("Ann").await;
    let session = ann.cookie("session");
    let link = link(app, json!({"purpose": "operator"})).await;
    let page = ann.open(&link).await;
    page.says("You are signed in as Ann.");
    assert!(!page.form(&link).has("password"));
    ann.submit(&page, &link, &[])
        .await
        .says("You are an operator.");
    assert_eq!(ann.cookie("session"), session);
    ann.open("/dashboard/people").await.says("Ann");
}
