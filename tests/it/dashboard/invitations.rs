//! Invitations: made by who may, accepted once, worth what their maker may give at that moment.

use serde_json::json;

use super::{Office, invited, join, last, operator};
use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::test_app::PAYMENT;
use crate::tenancy::{role, set_ceiling};

/// Makes an invitation on the page for it; the path of its link.
async fn invite(office: &Office, admin: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    let path = office.path("/invitations/new");
    let page = admin.open(&path).await;
    let made = admin.submit(&page, &path, fields).await;
    made.says("This link is shown only now. It works once.");
    format!("/dashboard/links/{}", last(&made.secret().unwrap()))
}

#[tokio::test]
async fn an_admin_invites_somebody_who_makes_himself_an_account() {
    let office = Office::new().await;
    let admin = office.admin("Ann").await;
    let fields = [
        ("note", "Bob of billing"),
        ("role", "member"),
        ("roles", office.clerk.as_str()),
    ];
    let link = invite(&office, &admin, &fields).await;
    let members = office.path("/members");
    admin
        .open(&members)
        .await
        .says("Bob of billing")
        .says("Take back");
    let bob = Browser::new(office.app()).at("203.0.113.9");
    bob.open(&link)
        .await
        .says("You are invited to Acme as a member");
    let landed = join(&bob, &link, "Bob").await;
    assert_eq!(landed.path, office.path("/keys"));
    landed.says("You are in.");
    let page = admin.open(&members).await;
    page.says("Bob").says("clerk").never_says("Bob of billing");
    // The role is there at once.
    let shown = office.make_key(&bob, "mine", &["write:payment"]).await;
    office
        .app()
        .trade(&shown.secret().unwrap())
        .await
        .expect(200);
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_is_worth_nothing() {
    let office = Office::new().await;
    let admin = office.admin("Ann").await;
    let link = invite(&office, &admin, &[("note", "Bob")]).await;
    let page = admin.open(&office.path("/members")).await;
    let action = page
        .actions()
        .into_iter()
        .find(|action| action.ends_with("/withdraw"))
        .unwrap();
    admin
        .submit(&page, &action, &[])
        .await
        .says("The invitation is taken back.");
    Browser::new(office.app()).misses(&link).await;
    // Twice is once.
    admin.try_submit(&page, &action, &[]).await.expect(404);
}

#[tokio::test]
async fn whoever_is_known_accepts_as_himself_and_keeps_what_he_has() {
    let office = Office::new().await;
    let admin = office.admin("Ann").await;
    let app = office.app();
    let reader = role(app, "reader", &["read:payment"]).await;
    let bob = invited(
        app,
        &office.shop.organization,
        "Bob",
        json!({"roles": [reader]}),
    )
    .await;
    // One more role by an invitation; and an admin stays one.
    let fields = [("role", "member"), ("roles", office.clerk.as_str())];
    for who in [&bob, &admin] {
        let link = invite(&office, &admin, &fields).await;
        let page = who.open(&link).await;
        who.submit(&page, &link, &[]).await.says("You are in.");
    }
    let page = admin.open(&office.path("/members")).await;
    page.says("Admin");
    let text = page.text();
    let both = text.contains("clerk reader") || text.contains("reader clerk");
    assert!(both, "{text}");
}

#[tokio::test]
async fn two_who_accept_at_once_are_one() {
    let office = Office::new().await;
    let admin = office.admin("Ann").await;
    let link = invite(&office, &admin, &[]).await;
    let (one, two) = (Browser::new(office.app()), Browser::new(office.app()));
    let accept = async |browser: &Browser<'_>, name: &str| -> Page {
        let page = browser.open(&link).await;
        let login = name.to_lowercase();
        let fields = [
            ("name", name),
            ("login_name", &login),
            ("password", super::PASSWORD),
        ];
        browser.try_submit(&page, &link, &fields).await
    };
    let (one, two) = tokio::join!(accept(&one, "Bob"), accept(&two, "Eve"));
    let mut statuses = [one.answer.status, two.answer.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    // Whoever came second is nobody.
    let people = office
        .app()
        .count("SELECT count(*) AS number FROM people WHERE login_name IN ('bob', 'eve')")
        .await;
    assert_eq!(people, 1);
}

#[tokio::test]
async fn an_invitation_gives_what_its_maker_may_give_when_it_is_accepted() {
    let office = Office::new().await;
    let (app, organization) = (office.app(), &office.shop.organization);
    let olga = operator(app, "Olga").await;
    let admin = office.admin("Ann").await;
    // The organization may no longer use what the role gives: the role is offered no more, and an invitation with it is worth nothing.
    let path = office.path("/invitations/new");
    let link = invite(&office, &admin, &[("roles", office.clerk.as_str())]).await;
    let reading = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    set_ceiling(&office.shop, reading).await.expect(200);
    let form = admin.open(&path).await.form(&path);
    assert!(!form.has("roles"));
    let mut fields = form.filled(&[]);
    fields.push(("roles".to_owned(), office.clerk.clone()));
    admin.post(&path, &fields).await.expect(422);
    let bob = Browser::new(app);
    let page = bob.open(&link).await;
    let fields = [
        ("name", "Bob"),
        ("login_name", "bob"),
        ("password", super::PASSWORD),
    ];
    bob.try_submit(&page, &link, &fields).await.expect(404);
    assert_eq!(bob.cookie("session"), None);
    // Made by somebody who is no admin any more: nothing.
    let link = invite(&office, &admin, &[]).await;
    let listed = olga.open("/dashboard/people?q=Ann").await;
    let person = last(&listed.link_with("/people/usr_"));
    let member = format!("/v1/organizations/{organization}/members/{person}");
    let body = json!({"role": "member", "roles": []});
    app.put(&member)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let eve = Browser::new(app);
    let page = eve.open(&link).await;
    let fields = [
        ("name", "Eve"),
        ("login_name", "eve"),
        ("password", super::PASSWORD),
    ];
    eve.try_submit(&page, &link, &fields).await.expect(404);
    assert_eq!(eve.cookie("session"), None);
}

#[tokio::test]
async fn members_invite_nobody_and_admins_of_others_neither() {
    let office = Office::new().await;
    let app = office.app();
    let other = app.organization("Other").await;
    let member = office.member("Bob").await;
    let stranger = invited(app, &other, "Eve", json!({"role": "admin"})).await;
    for browser in [&member, &stranger] {
        for below in ["/members", "/invitations/new"] {
            browser.misses(&office.path(below)).await;
        }
        let token = browser.open("/dashboard/account").await.token();
        let fields = [
            ("token".to_owned(), token),
            ("role".to_owned(), "admin".to_owned()),
        ];
        let answer = browser
            .post(&office.path("/invitations/new"), &fields)
            .await;
        answer.expect(404);
    }
    let count = app
        .count("SELECT count(*) AS number FROM sign_in_links WHERE used_at IS NULL")
        .await;
    assert_eq!(count, 0);
}
