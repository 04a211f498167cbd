//! What admins and operators do with machine-to-machine applications.

use serde_json::json;

use super::{Office, invited, last, operator};
use crate::applications::{Application, grant, machine_role, make};
use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::signer::Signer;
use crate::support::test_app::{CART, PAYMENT, TestApp};

/// The office with a role for applications that may pay.
async fn office() -> (Office, String) {
    let office = Office::new().await;
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(office.app(), "payer", payment).await;
    (office, role)
}

/// Makes one on the page; the page that shows its secret.
async fn make_here(office: &Office, browser: &Browser<'_>, fields: &[(&str, &str)]) -> Page {
    let path = office.path("/applications/new");
    let page = browser.open(&path).await;
    browser.submit(&page, &path, fields).await
}

/// The application whose secret a page shows.
fn shown(page: &Page) -> Application {
    let link = page.links().into_iter().find(|link| {
        let id = link.strip_prefix("/dashboard/applications/");
        id.is_some_and(|id| !id.contains('/'))
    });
    Application {
        id: last(&link.unwrap()),
        secret: page.secret().unwrap(),
        object: json!(null),
    }
}

fn path(application: &Application, below: &str) -> String {
    format!("/dashboard/applications/{}{below}", application.id)
}

async fn scope(app: &TestApp, application: &Application) -> Option<String> {
    let answer = grant(app, application, &[("resource", PAYMENT)]).await;
    (answer.status == 200).then(|| answer.text("scope"))
}

#[tokio::test]
async fn an_admin_makes_one_whose_secret_is_shown_once_and_works() {
    let (office, role) = office().await;
    let app = office.app();
    let ann = office.admin("Ann").await;
    ann.open(&office.path("/applications"))
        .await
        .says("There is none here yet.");
    let fields = [("name", "nightly billing"), ("roles", role.as_str())];
    let page = make_here(&office, &ann, &fields).await;
    page.says("Shown only now.")
        .says("https://kagiya.test/oauth/token")
        .says("https://kagiya.test/.well-known/jwks.json");
    let made = shown(&page);
    page.says(&made.id);
    assert!(
        page.title().starts_with("The application"),
        "{}",
        page.title()
    );
    assert_eq!(scope(app, &made).await.as_deref(), Some("write:payment"));
    // Its own page never shows it again, and neither does any other.
    let own = ann.open(&path(&made, "")).await;
    own.says("nightly billing")
        .says("payer")
        .says("write:payment")
        .never_says(&made.secret);
    ann.open(&office.path("/applications"))
        .await
        .says("nightly billing");
    ann.open(&office.path("/audit"))
        .await
        .says("Application made");
}

#[tokio::test]
async fn sending_the_form_twice_makes_one_and_going_on_erases_the_secret() {
    let (office, role) = office().await;
    let app = office.app();
    let ann = office.admin("Ann").await;
    let new = office.path("/applications/new");
    let form = ann.open(&new).await;
    let fields = [("name", "twice"), ("roles", role.as_str())];
    let first = ann.submit(&form, &new, &fields).await;
    let again = ann.submit(&form, &new, &fields).await;
    assert_eq!(first.secret(), again.secret());
    assert_eq!(
        app.count("SELECT count(*) AS number FROM applications")
            .await,
        1
    );
    ann.open(&office.path("/applications")).await;
    ann.try_submit(&form, &new, &fields)
        .await
        .expect(409)
        .says("This secret was shown already")
        .never_says(&first.secret().unwrap());
}

#[tokio::test]
async fn secrets_are_added_and_removed_without_a_gap() {
    let (office, role) = office().await;
    let app = office.app();
    let ann = office.admin("Ann").await;
    let old = shown(&make_here(&office, &ann, &[("name", "billing"), ("roles", &role)]).await);
    let add = path(&old, "/secrets/new");
    let asked = ann.open(&add).await;
    ann.try_submit(&asked, &add, &[("expires", "2020-01-01")])
        .await
        .expect(422);
    let new = shown(&ann.submit(&asked, &add, &[]).await);
    assert_ne!(old.secret, new.secret);
    for each in [&old, &new] {
        assert_eq!(scope(app, each).await.as_deref(), Some("write:payment"));
    }
    let own = ann.open(&path(&old, "")).await;
    let hint = &old.secret[old.secret.len() - 4..];
    let row = own
        .html
        .split("<tr>")
        .find(|row| row.contains(hint))
        .unwrap();
    let remove = row
        .split('"')
        .find(|text| text.ends_with("/remove"))
        .unwrap()
        .to_owned();
    let asked = ann.open(&remove).await;
    asked.says(hint).says("gets no token from now on");
    ann.submit(&asked, &remove, &[])
        .await
        .says("The secret is removed.");
    grant(app, &old, &[]).await.expect(401);
    assert_eq!(scope(app, &new).await.as_deref(), Some("write:payment"));
}

#[tokio::test]
async fn what_is_wrong_is_told_beside_the_field_and_nothing_is_lost() {
    let (office, role) = office().await;
    let ann = office.admin("Ann").await;
    let new = office.path("/applications/new");
    let form = ann.open(&new).await;
    let private =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "d": "BBBB"}]}).to_string();
    for (name, value, says) in [
        ("name", "", "Fill this in"),
        ("addresses", "example.com", "203.0.113.7"),
        ("may_act", "me", "The id of an application"),
        (
            "may_act",
            "app_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "The id of an application",
        ),
        ("jwks", "", "A JWK set with 1 to 16 public keys"),
        ("jwks", "nonsense", "A JWK set with 1 to 16 public keys"),
        ("jwks", &private, "This holds a private key."),
    ] {
        let mut fields = vec![("name", "kept"), ("roles", role.as_str())];
        if name == "jwks" {
            fields.push(("auth", "private_key_jwt"));
        }
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value));
        let page = ann.try_submit(&form, &new, &fields).await.expect(422);
        page.says(says);
        assert!(page.title().starts_with("Error:"), "{}", page.title());
        if name != "name" {
            assert_eq!(page.form(&new).value("name"), Some("kept"), "{name}");
        }
    }
    let app = office.app();
    assert_eq!(
        app.count("SELECT count(*) AS number FROM applications")
            .await,
        0
    );
}

#[tokio::test]
async fn one_that_signs_assertions_is_told_what_to_sign() {
    let (office, role) = office().await;
    let ann = office.admin("Ann").await;
    let jwks = Signer::ed25519("one").jwks().to_string();
    let fields = [
        ("name", "signer"),
        ("roles", role.as_str()),
        ("auth", "private_key_jwt"),
        ("jwks", &jwks),
    ];
    let page = make_here(&office, &ann, &fields).await;
    page.says("The application is there.")
        .says("client_assertion_type")
        .says("“aud” https://kagiya.test");
    assert!(page.secret().is_none());
    let id = last(page.path.split('?').next().unwrap());
    // It has no secrets to be added.
    let add = format!("/dashboard/applications/{id}/secrets/new");
    ann.get(&add).await.expect(409);
}

#[tokio::test]
async fn it_is_changed_paused_let_go_on_and_deleted() {
    let (office, role) = office().await;
    let app = office.app();
    let ann = office.admin("Ann").await;
    let made = shown(&make_here(&office, &ann, &[("name", "billing"), ("roles", &role)]).await);
    // Changed: an address from which it does not come.
    let edit = path(&made, "/edit");
    let form = ann.open(&edit).await;
    ann.submit(
        &form,
        &edit,
        &[("name", "bills"), ("addresses", "192.0.2.7")],
    )
    .await
    .says("Saved.")
    .says("192.0.2.7/32");
    assert_eq!(scope(app, &made).await, None);
    // From an old page nothing is overwritten.
    ann.try_submit(&form, &edit, &[("name", "older")])
        .await
        .expect(422)
        .says("Somebody else changed it");
    let form = ann.open(&edit).await;
    ann.submit(&form, &edit, &[("addresses", "")]).await;
    assert_eq!(scope(app, &made).await.as_deref(), Some("write:payment"));
    // Its roles, taken away and given again.
    let roles = path(&made, "/roles");
    let form = ann.open(&roles).await;
    let without: Vec<(String, String)> = form
        .form(&roles)
        .filled(&[])
        .into_iter()
        .filter(|(name, _)| name != "roles")
        .collect();
    ann.post(&roles, &without).await.expect(303);
    assert_eq!(scope(app, &made).await, None);
    let form = ann.open(&roles).await;
    ann.submit(&form, &roles, &[("roles", &role)])
        .await
        .says("Roles changed.");
    assert_eq!(scope(app, &made).await.as_deref(), Some("write:payment"));
    // Paused, and let go on.
    let disable = path(&made, "/disable");
    let asked = ann.open(&disable).await;
    asked.says("It gets no token from now on.");
    let page = ann.submit(&asked, &disable, &[]).await;
    page.says("It gets no token until it is enabled again.");
    assert_eq!(scope(app, &made).await, None);
    ann.submit(&page, &path(&made, "/enable"), &[])
        .await
        .says("The application gets tokens again.");
    assert_eq!(scope(app, &made).await.as_deref(), Some("write:payment"));
    // Deleted; what names it is named before.
    let other = make(
        app,
        json!({"name": "other", "may_act": {"application_id": made.id}}),
    )
    .await;
    let delete = path(&made, "/delete");
    let asked = ann.open(&delete).await;
    asked.says(&format!("may_act of {}", other.id));
    ann.submit(&asked, &delete, &[])
        .await
        .says("The application is deleted.");
    assert_eq!(scope(app, &made).await, None);
    ann.misses(&path(&made, "")).await;
}

#[tokio::test]
async fn an_admin_gives_no_more_than_the_organization_may_use() {
    let (office, _) = office().await;
    let app = office.app();
    let ann = office.admin("Ann").await;
    let cart = json!([{"resource": CART, "scopes": ["read:cart"]}]);
    let beyond = machine_role(app, "carter", cart).await;
    let made = shown(&make_here(&office, &ann, &[("name", "billing")]).await);
    let ceiling = format!("/v1/organizations/{}/permissions", office.shop.organization);
    let body = json!({"permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}]});
    app.put(&ceiling)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let roles = path(&made, "/roles");
    let form = ann.open(&roles).await;
    form.never_says("carter");
    let mut fields = form.form(&roles).filled(&[]);
    fields.push(("roles".to_owned(), beyond));
    let answer = ann.post(&roles, &fields).await;
    assert_eq!(answer.status, 422);
    assert_eq!(scope(app, &made).await, None);
}

#[tokio::test]
async fn lists_are_searched_and_operators_see_those_of_all() {
    let (office, _) = office().await;
    let app = office.app();
    let other = app.organization("Other").await;
    for (name, organization) in [
        ("billing", Some(&office.shop.organization)),
        ("shipping", Some(&other)),
        ("backup", None),
    ] {
        make(app, json!({"name": name, "organization_id": organization})).await;
    }
    let ann = office.admin("Ann").await;
    ann.open(&office.path("/applications"))
        .await
        .says("billing")
        .never_says("shipping")
        .never_says("backup");
    let olga = operator(app, "Olga").await;
    let all = olga.open("/dashboard/all/applications").await;
    all.says("billing")
        .says("shipping")
        .says("backup")
        .says("Other");
    all.says("The deployment’s own");
    olga.open("/dashboard/all/applications?q=SHIP")
        .await
        .says("shipping")
        .never_says("billing");
    olga.open("/dashboard/all/applications?q=100%25_nothing")
        .await
        .says("Nothing fits these filters.");
    // A member has none of it, and no way there.
    let bob = invited(app, &office.shop.organization, "Bob", json!({})).await;
    bob.open(&office.path("/keys"))
        .await
        .never_says("Applications");
}
