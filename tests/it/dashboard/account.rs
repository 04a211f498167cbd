//! A person's own account: name and password.

use super::{Office, PASSWORD, operator};
use crate::support::browser::Browser;

#[tokio::test]
async fn a_person_gives_himself_another_name() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let page = ann.open("/dashboard/account").await;
    let renamed = ann
        .submit(&page, "/dashboard/account/name", &[("name", "Ann Smith")])
        .await;
    renamed.says("Saved.").says("Ann Smith");
    let wrong = ann
        .try_submit(&page, "/dashboard/account/name", &[("name", "")])
        .await;
    wrong.expect(422).says("Fill this in");
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_present_one() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let other = Browser::new(office.app());
    let page = other.open("/dashboard/sign-in").await;
    let fields = [("login_name", "ann"), ("password", PASSWORD)];
    other.submit(&page, "/dashboard/sign-in", &fields).await;
    const PATH: &str = "/dashboard/account/password";
    const NEW: &str = "another horse, another battery";
    let page = ann.open(PATH).await;
    for (present, password, says) in [
        ("wrong", NEW, "Not your present password"),
        (PASSWORD, "short", "At least 12 characters"),
    ] {
        let fields = [("present", present), ("password", password)];
        let again = ann.try_submit(&page, PATH, &fields).await.expect(422);
        again.says(says).never_says(password);
    }
    let fields = [("present", PASSWORD), ("password", NEW)];
    ann.submit(&page, PATH, &fields)
        .await
        .says("The password is changed.");
    // Whoever else was in is out, with the old password for good.
    assert!(
        other
            .open("/dashboard")
            .await
            .path
            .starts_with("/dashboard/sign-in")
    );
    let page = other.open("/dashboard/sign-in").await;
    let fields = [("login_name", "ann"), ("password", PASSWORD)];
    other
        .try_submit(&page, "/dashboard/sign-in", &fields)
        .await
        .expect(422);
    let fields = [("login_name", "ann"), ("password", NEW)];
    other.submit(&page, "/dashboard/sign-in", &fields).await;
}

#[tokio::test]
async fn what_a_password_was_stands_nowhere() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let secret = "a password that is looked for afterwards";
    app.witness().keep(secret);
    const PATH: &str = "/dashboard/account/password";
    let page = olga.open(PATH).await;
    let fields = [("present", PASSWORD), ("password", secret)];
    olga.submit(&page, PATH, &fields).await;
    // Found by the witness at the end of the test if it were in the database or in a log.
    let hashes = "SELECT count(*) AS number FROM people WHERE password_hash LIKE '$argon2id$%'";
    assert_eq!(app.count(hashes).await, 1);
}

#[tokio::test]
async fn whoever_has_no_password_here_is_not_asked_for_one() {
    let issuer = crate::support::openid_issuer::OpenIdIssuer::start();
    let app = issuer.setup(&["olga"]).start().await;
    let olga = Browser::new(&app);
    super::provider::sign_in(&issuer, &app, &olga, ("olga", serde_json::json!({})))
        .await
        .expect(200);
    let page = olga.open("/dashboard/account").await;
    page.never_says("Passkeys").says("the sign-in provider");
    olga.misses("/dashboard/account/password").await;
    olga.misses("/dashboard/account/passkeys/new").await;
}
