//! A key that somebody found: told whose it is if one may know, and stopped by whoever holds it.

use super::{Office, key_id};

#[tokio::test]
async fn whoever_finds_a_key_is_told_what_he_may_know_and_can_stop_it() {
    let office = Office::new().await;
    let (app, ann, bob) = (
        office.app(),
        office.member("Ann").await,
        office.member("Bob").await,
    );
    let shown = office.make_key(&ann, "checkout", &["read:payment"]).await;
    let key = shown.secret().unwrap();
    let page = bob.open("/dashboard/found").await;
    let found = bob
        .submit(&page, "/dashboard/found", &[("key", &format!(" {key}\n"))])
        .await;
    found
        .says("This is a working key of somebody else.")
        .never_says("checkout")
        .never_says(&key);
    let own = ann.open("/dashboard/found").await;
    let own = ann.submit(&own, "/dashboard/found", &[("key", &key)]).await;
    own.says("checkout").says("It works.").never_says(&key);
    own.link(&format!("/dashboard/keys/{}", key_id(&shown)));
    app.trade(&key).await.expect(200);
    bob.submit(&found, "/dashboard/found/stop", &[])
        .await
        .says("The key is stopped.");
    app.trade(&key).await.problem("api_key_revoked");
    ann.submit(&own, "/dashboard/found/stop", &[])
        .await
        .says("The key was stopped already.");
    let again = bob
        .submit(&page, "/dashboard/found", &[("key", &key)])
        .await;
    again.says("It is stopped already.");
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_told_so() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let shown = office.make_key(&ann, "checkout", &["read:payment"]).await;
    let key = shown.secret().unwrap();
    let page = ann.open("/dashboard/found").await;
    let mut forged = key.clone().into_bytes();
    forged[40] = if forged[40] == b'a' { b'b' } else { b'a' };
    let forged = String::from_utf8(forged).unwrap();
    for text in ["nonsense", "kgy_1", forged.as_str()] {
        let told = ann
            .submit(&page, "/dashboard/found", &[("key", text)])
            .await;
        told.says("This is no key of ours").never_says(text);
        assert!(!told.actions().contains(&"/dashboard/found/stop".to_owned()));
    }
    ann.try_submit(&page, "/dashboard/found", &[("key", " ")])
        .await
        .expect(422)
        .says("Fill this in");
    // What is carried on sealed opens nothing when it is somebody's own invention.
    let forged = [
        ("token".to_owned(), page.token()),
        ("found".to_owned(), "AAAA".to_owned()),
    ];
    ann.post("/dashboard/found/stop", &forged).await.expect(404);
}

#[tokio::test]
async fn keys_are_looked_up_only_so_often() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let page = ann.open("/dashboard/found").await;
    let mut refused = 0;
    for _ in 0..100 {
        let told = ann
            .try_submit(&page, "/dashboard/found", &[("key", "nonsense")])
            .await;
        refused += usize::from(told.answer.status == 429);
    }
    assert!(refused > 0, "a hundred at once are too many");
}
