//! What operators do: organizations, people, resources, roles, signing keys and secrets.

use serde_json::json;

use super::{Office, last, operator, sign_in};
use crate::support::browser::Browser;
use crate::support::test_app::{PAYMENT, TestApp, jose_header};
use crate::tenancy::scope;

#[tokio::test]
async fn an_empty_deployment_is_furnished_page_by_page() {
    let app = TestApp::new().await;
    let olga = operator(&app, "Olga").await;
    olga.open("/dashboard")
        .await
        .says("No organization has a key yet.");
    let page = olga.open("/dashboard/organizations").await;
    page.says("There is none yet.");
    const MAKE: &str = "/dashboard/organizations/new";
    let page = olga.open(MAKE).await;
    olga.try_submit(&page, MAKE, &[("name", "")])
        .await
        .expect(422)
        .says("Fill this in");
    let landed = olga
        .submit(&page, MAKE, &[("name", "Acme"), ("slug", "acme")])
        .await;
    landed
        .says("The organization is there.")
        .says("Invite somebody by a link.");
    let organization = last(landed.path.strip_suffix("/members").unwrap());
    let taken = olga
        .try_submit(&page, MAKE, &[("name", "Acme"), ("slug", "acme")])
        .await;
    taken.expect(422).says("Another organization has it");
    let base = format!("/dashboard/organizations/{organization}");
    olga.open(&format!("{base}/keys/new"))
        .await
        .says("There is no API resource yet.");
    const RESOURCE: &str = "/dashboard/resources/new";
    let page = olga.open(RESOURCE).await;
    for (identifier, permissions, says) in [
        ("payment", "", "An absolute URL"),
        (PAYMENT, "\"bad\" name", "Not a name and a description"),
    ] {
        let fields = [("identifier", identifier), ("permissions", permissions)];
        olga.try_submit(&page, RESOURCE, &fields)
            .await
            .expect(422)
            .says(says);
    }
    let permissions = "read:payment See payments\nwrite:payment Make payments\n";
    let fields = [
        ("identifier", PAYMENT),
        ("name", "Payments"),
        ("permissions", permissions),
        ("lifetime", "120"),
    ];
    let made = olga.submit(&page, RESOURCE, &fields).await;
    made.says("What comes next:")
        .says("See payments")
        .says("https://kagiya.test/.well-known/jwks.json");
    const ROLE: &str = "/dashboard/roles/new";
    let page = olga.open(ROLE).await;
    let both = [
        format!("{PAYMENT} read:payment"),
        format!("{PAYMENT} write:payment"),
    ];
    let fields = [
        ("name", "checkout"),
        ("permission", both[0].as_str()),
        ("permission", both[1].as_str()),
    ];
    let made = olga.submit(&page, ROLE, &fields).await;
    made.says("What comes next:").says("write:payment");
    // And now a key.
    let new = format!("{base}/keys/new");
    let page = olga.open(&new).await;
    page.says("Payments").says("Make payments");
    let shown = olga
        .submit(
            &page,
            &new,
            &[("name", "checkout"), ("permission", &both[1])],
        )
        .await;
    assert_eq!(
        scope(&app, &shown.secret().unwrap()).await.as_deref(),
        Some("write:payment")
    );
}

#[tokio::test]
async fn a_permission_that_goes_says_before_how_many_keys_lose_it() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let key = office.shop.key().await;
    let here = format!("/dashboard/resources/{}", office.shop.payment);
    let page = olga.open(&here).await;
    let rows = page
        .html
        .split("<tr>")
        .find(|row| row.contains("write:payment"))
        .unwrap();
    let delete = rows
        .split('"')
        .find(|text| text.ends_with("/delete"))
        .unwrap()
        .to_owned();
    let asked = olga.open(&delete).await;
    asked.says("1 key loses it.");
    olga.submit(&asked, &delete, &[])
        .await
        .says("The permission is deleted.");
    assert_eq!(scope(app, &key.key).await, None);
    let add = format!("{here}/permissions");
    let page = olga.open(&here).await;
    olga.try_submit(&page, &add, &[("scope", "read:payment")])
        .await
        .expect(422)
        .says("There is a permission of that name");
    olga.submit(
        &page,
        &add,
        &[
            ("scope", "refund:payment"),
            ("description", "Give money back"),
        ],
    )
    .await
    .says("Give money back");
    let gone = format!("{here}/delete");
    let asked = olga.open(&gone).await;
    olga.submit(&asked, &gone, &[])
        .await
        .says("The API resource is deleted.");
    olga.misses(&here).await;
}

#[tokio::test]
async fn a_role_that_changes_changes_what_its_holders_keys_may_do() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let bob = office.member("Bob").await;
    let key = office
        .make_key(&bob, "mine", &["read:payment", "write:payment"])
        .await
        .secret()
        .unwrap();
    let here = format!("/dashboard/roles/{}", office.clerk);
    let page = olga.open(&here).await;
    let read = format!("{PAYMENT} read:payment");
    olga.submit(&page, &here, &[("permission", &read)])
        .await
        .says("Saved.");
    assert_eq!(scope(app, &key).await.as_deref(), Some("read:payment"));
    let gone = format!("{here}/delete");
    let asked = olga.open(&gone).await;
    olga.try_submit(&asked, &gone, &[])
        .await
        .expect(422)
        .says("It is held by");
}

#[tokio::test]
async fn an_operator_makes_others_operators_and_never_locks_himself_out() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let ann = office.member("Ann").await;
    let person = olga
        .open("/dashboard/people?q=ann")
        .await
        .link_with("/people/usr_");
    let path = format!("{person}/operator");
    let asked = olga.open(&path).await;
    asked.says("An operator sees and stops every key");
    olga.submit(&asked, &path, &[]).await.says("operator");
    assert_eq!(ann.open("/dashboard").await.path, "/dashboard/all/keys");
    let own = olga
        .open("/dashboard/people?q=Olga")
        .await
        .link_with("/people/usr_");
    let page = olga.open(&own).await;
    assert!(
        page.links()
            .iter()
            .all(|link| !link.ends_with("/operator") && !link.ends_with("/shut-out"))
    );
    for (below, field) in [
        ("operator", ("operator", "no")),
        ("shut-out", ("disabled", "yes")),
    ] {
        let token = ("token".to_owned(), page.token());
        let field = (field.0.to_owned(), field.1.to_owned());
        olga.post(&format!("{own}/{below}"), &[token, field])
            .await
            .expect(403);
    }
    let asked = olga.open(&path).await;
    olga.submit(&asked, &path, &[]).await;
    assert_eq!(ann.open("/dashboard").await.path, office.path("/keys"));
}

#[tokio::test]
async fn whoever_waits_is_let_in() {
    let office = Office::new().await;
    let olga = operator(office.app(), "Olga").await;
    let body = json!({"iss": "https://sso.example.com", "sub": "eve", "name": "Eve"});
    office
        .app()
        .post("/v1/users")
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    let page = olga.open("/dashboard/people?q=Eve").await;
    let person = page.link_with("/people/usr_");
    let page = olga.open(&person).await;
    let join = format!("{person}/join");
    let landed = olga.submit(&page, &join, &[("role", "admin")]).await;
    landed.says("Saved.").says("Admin");
    olga.open(&office.path("/members")).await.says("Eve");
}

#[tokio::test]
async fn an_organizations_ceiling_and_pause_are_set() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let key = office.shop.key().await;
    let path = office.path("/permissions");
    let page = olga.open(&path).await;
    let read = format!("{PAYMENT} read:payment");
    olga.submit(&page, &path, &[("ceiling", "these"), ("permission", &read)])
        .await
        .says("Saved.");
    assert_eq!(scope(app, &key.key).await, None);
    let page = olga.open(&path).await;
    olga.submit(&page, &path, &[("ceiling", "all")]).await;
    assert_eq!(scope(app, &key.key).await.as_deref(), Some("write:payment"));
    let path = office.path("/settings");
    let page = olga.open(&path).await;
    let paused = olga
        .submit(&page, &path, &[("disabled", "yes"), ("max_keys", "5")])
        .await;
    app.trade(&key.key).await.problem("api_key_disabled");
    let form = paused.form(&path).filled(&[]);
    let form: Vec<_> = form
        .into_iter()
        .filter(|(name, _)| name != "disabled")
        .collect();
    olga.post(&path, &form).await.expect(303);
    app.trade(&key.key).await.expect(200);
    // It goes only when its keys are revoked.
    let gone = office.path("/delete");
    let asked = olga.open(&gone).await;
    olga.try_submit(&asked, &gone, &[("name", "Acme")])
        .await
        .expect(422)
        .says("Stop them first");
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let asked = olga.open(&gone).await;
    olga.submit(&asked, &gone, &[("name", "Acme")])
        .await
        .says("The organization is deleted.");
}

#[tokio::test]
async fn signing_keys_are_rotated_and_withdrawn() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let key = office.shop.key().await;
    let kid = async || {
        let token = app.trade(&key.key).await.expect(200).text("access_token");
        jose_header(&token)["kid"].as_str().unwrap().to_owned()
    };
    let before = kid().await;
    const ROTATE: &str = "/dashboard/security/signing-keys/rotate";
    let page = olga.open("/dashboard/security").await;
    page.says("Signs").says("Next").says("Tags of keys");
    olga.try_submit(&page, ROTATE, &[])
        .await
        .expect(422)
        .says("published too short a time ago");
    app.pass(86_400);
    let again = Browser::new(app);
    sign_in(&again, "olga").await;
    let page = again.open("/dashboard/security").await;
    again
        .submit(&page, ROTATE, &[])
        .await
        .says("The next signing key signs now.");
    let after = kid().await;
    assert_ne!(after, before);
    let path = format!("/dashboard/security/signing-keys/{after}/withdraw");
    let asked = again.open(&path).await;
    asked.says("The key leaves the JWK set now, for ever.");
    again
        .submit(&asked, &path, &[])
        .await
        .says("The signing key is withdrawn.");
    assert_ne!(kid().await, after);
}

#[tokio::test]
async fn a_secret_is_replaced_and_no_key_and_no_session_stops_by_it() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let key = office.shop.key().await;
    for purpose in ["tag", "digest", "cookies"] {
        let path = format!("/dashboard/security/secrets/{purpose}/rotate");
        let asked = olga.open(&path).await;
        asked.says("Keys made with the old one go on working.");
        olga.submit(&asked, &path, &[])
            .await
            .says("A new secret is made.");
        app.pass(60);
    }
    app.trade(&key.key).await.expect(200);
    let page = olga.open("/dashboard/account").await;
    page.says("Olga");
    olga.submit(&page, "/dashboard/account/name", &[("name", "Olga O")])
        .await
        .says("Saved.");
}
