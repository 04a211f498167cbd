//! What an organization's admin does: members, keys of all, hygiene, use, audit trail, settings, stopping many at once.

use serde_json::{Value, json};

use super::{Office, invited, key_id, last, sign_in, written};
use crate::support::test_app::PAYMENT;
use crate::tenancy::scope;

#[tokio::test]
async fn a_member_is_given_a_role_and_loses_it() {
    let office = Office::new().await;
    let (app, admin) = (office.app(), office.admin("Ann").await);
    let bob = invited(app, &office.shop.organization, "Bob", json!({})).await;
    bob.open(&office.path("/keys/new"))
        .await
        .says("Ask an admin of the organization for a role.");
    let members = admin.open(&office.path("/members")).await;
    let path = members.link_with("/members/usr_");
    let id = bob.open("/dashboard/account").await.text();
    let id = id
        .split(' ')
        .find(|word| word.starts_with("usr_"))
        .unwrap()
        .to_owned();
    let path = path.replace(&last(&path), &id);
    let page = admin.open(&path).await;
    admin
        .submit(&page, &path, &[("roles", &office.clerk)])
        .await
        .says("Saved.");
    let shown = office.make_key(&bob, "mine", &["write:payment"]).await;
    let key = shown.secret().unwrap();
    assert_eq!(scope(app, &key).await.as_deref(), Some("write:payment"));
    // Somebody else changed it meanwhile: the old form is refused.
    let stale = admin.try_submit(&page, &path, &[]).await.expect(422);
    stale.says("Somebody else changed it meanwhile.");
    let page = admin.open(&path).await;
    let form = page.form(&path).filled(&[]);
    let without: Vec<(String, String)> = form
        .into_iter()
        .filter(|(name, _)| name != "roles")
        .collect();
    admin.post(&path, &without).await.expect(303);
    assert_eq!(scope(app, &key).await, None);
}

#[tokio::test]
async fn removing_a_member_says_before_what_becomes_of_his_keys() {
    let office = Office::new().await;
    let (app, admin, bob) = (
        office.app(),
        office.admin("Ann").await,
        office.member("Bob").await,
    );
    let key = office
        .make_key(&bob, "mine", &["write:payment"])
        .await
        .secret()
        .unwrap();
    let members = admin.open(&office.path("/members")).await;
    let bobs = members.text();
    assert!(bobs.contains("Bob"));
    let id = bob.open("/dashboard/account").await.text();
    let id = id
        .split(' ')
        .find(|word| word.starts_with("usr_"))
        .unwrap()
        .to_owned();
    let path = office.path(&format!("/members/{id}/remove"));
    let asked = admin.open(&path).await;
    asked.says("1 key of");
    app.trade(&key).await.expect(200);
    admin.submit(&asked, &path, &[]).await.says("Removed.");
    app.trade(&key).await.problem("api_key_disabled");
    bob.misses(&office.path("/keys")).await;
    bob.open("/dashboard")
        .await
        .says("You do not belong to an organization yet");
}

#[tokio::test]
async fn all_keys_of_a_member_or_of_the_organization_are_stopped_at_once() {
    let office = Office::new().await;
    let (app, admin) = (office.app(), office.admin("Ann").await);
    let (bob, eve) = (office.member("Bob").await, office.member("Eve").await);
    let mut keys = Vec::new();
    for (browser, name) in [(&bob, "one"), (&bob, "two"), (&eve, "three")] {
        keys.push(
            office
                .make_key(browser, name, &["read:payment"])
                .await
                .secret()
                .unwrap(),
        );
    }
    let id = bob.open("/dashboard/account").await.text();
    let id = id
        .split(' ')
        .find(|word| word.starts_with("usr_"))
        .unwrap()
        .to_owned();
    let path = office.path(&format!("/members/{id}/stop"));
    let asked = admin.open(&path).await;
    asked.says("This stops 2 keys.");
    admin
        .try_submit(&asked, &path, &[("name", "Eve")])
        .await
        .expect(422)
        .says("Not its name");
    app.trade(&keys[0]).await.expect(200);
    admin
        .submit(&asked, &path, &[("name", "Bob")])
        .await
        .says("All of them are stopped.");
    app.trade(&keys[0]).await.problem("api_key_revoked");
    app.trade(&keys[1]).await.problem("api_key_revoked");
    app.trade(&keys[2]).await.expect(200);
    let path = office.path("/stop");
    let asked = admin.open(&path).await;
    asked.says("This stops 1 key.");
    admin.submit(&asked, &path, &[("name", "Acme")]).await;
    app.trade(&keys[2]).await.problem("api_key_revoked");
}

#[tokio::test]
async fn a_key_is_made_for_a_member_and_handed_over_to_another() {
    let office = Office::new().await;
    let (admin, bob, eve) = (
        office.admin("Ann").await,
        office.member("Bob").await,
        office.member("Eve").await,
    );
    let id = async |browser: &crate::support::browser::Browser<'_>| {
        let text = browser.open("/dashboard/account").await.text();
        text.split(' ')
            .find(|word| word.starts_with("usr_"))
            .unwrap()
            .to_owned()
    };
    let (bobs, eves) = (id(&bob).await, id(&eve).await);
    let path = office.path("/keys/new");
    let page = admin.open(&path).await;
    let read = format!("{PAYMENT} read:payment");
    let fields = [
        ("name", "checkout"),
        ("permission", read.as_str()),
        ("owner", bobs.as_str()),
    ];
    let shown = admin.submit(&page, &path, &fields).await;
    let here = format!("/dashboard/keys/{}", key_id(&shown));
    bob.open(&here).await.says("checkout");
    eve.misses(&here).await;
    let owner = format!("{here}/owner");
    let asked = admin.open(&owner).await;
    asked.says("The key itself stays the same and goes on working.");
    admin
        .submit(&asked, &owner, &[("owner", &eves)])
        .await
        .says("Handed over.");
    eve.open(&here).await;
    bob.misses(&here).await;
    office
        .app()
        .trade(&shown.secret().unwrap())
        .await
        .expect(200);
}

#[tokio::test]
async fn what_needs_attention_is_shown_and_a_key_is_narrowed_to_what_it_used() {
    let office = Office::new().await;
    let (app, admin) = (office.app(), office.admin("Ann").await);
    let organization = &office.shop.organization;
    let wide = json!({"name": "wide", "permissions": [{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]});
    let wide = app.issue(organization, wide).await;
    app.issue(organization, json!({"name": "unused"})).await;
    app.issue(
        organization,
        json!({"name": "with an end", "expires_at": app.time_in(86_400)}),
    )
    .await;
    let used = app.issue(organization, json!({"name": "used whole"})).await;
    let attention = |why: &str| office.path(&format!("/attention?why={why}"));
    app.post("/v1/token")
        .header("X-API-Key", &wide.key)
        .form(&[("scope", "read:payment")])
        .send()
        .await
        .expect(200);
    app.trade(&used.key).await.expect(200);
    written(app, "key_usage", 2).await;
    let never = admin.open(&attention("never-expires")).await;
    never
        .says("wide")
        .says("unused")
        .says("used whole")
        .never_says("with an end");
    let page = admin.open(&attention("too-wide")).await;
    page.says("wide")
        .says("Narrow to what it used")
        .never_says("used whole");
    let narrow = admin.open(&page.link_with("narrow=used")).await;
    let path = format!("/dashboard/keys/{}/permissions", wide.id);
    let review = admin.submit(&narrow, &path, &[]).await;
    review.says("Takes away write:payment");
    admin.submit(&review, &path, &[]).await;
    assert_eq!(scope(app, &wide.key).await.as_deref(), Some("read:payment"));
    admin
        .open(&attention("too-wide"))
        .await
        .says("No key of this kind.");
    admin
        .open(&attention("never-used"))
        .await
        .says("No key of this kind.");
    app.pass(86_400 + 3600);
    sign_in(&admin, "ann").await;
    admin
        .open(&attention("never-used"))
        .await
        .says("unused")
        .never_says("used whole");
    admin
        .open(&attention("idle"))
        .await
        .never_says("used whole");
    app.pass(86_400 * 91);
    sign_in(&admin, "ann").await;
    admin.open(&attention("idle")).await.says("used whole");
}

#[tokio::test]
async fn the_audit_trail_is_filtered_paged_and_taken_along() {
    let office = Office::new().await;
    let (app, admin) = (office.app(), office.admin("Ann").await);
    let other = app.organization("Other").await;
    app.issue(&other, json!({"name": "of others"})).await;
    let formula = app
        .issue(&office.shop.organization, json!({"name": "=1+1"}))
        .await;
    for number in 0..60 {
        office
            .shop
            .issue(json!({"name": format!("key {number}")}))
            .await;
    }
    let path = office.path("/audit");
    let page = admin.open(&path).await;
    page.says("Key made");
    admin.open(&page.link_with("after=")).await.says("Key made");
    let narrowed = admin.open(&format!("{path}?action=member.added")).await;
    narrowed.says("Member added").never_says("key.created");
    admin
        .open(&format!("{path}?since=2027-01-01"))
        .await
        .says("No event fits.");
    admin
        .open(&format!("{path}?since=2026-11-22&until=2026-11-22"))
        .await
        .says("Key made");
    let csv = admin
        .get(&format!("{path}/export?format=csv&action=key.created"))
        .await
        .expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        csv.header("content-disposition"),
        Some("attachment; filename=\"audit.csv\"")
    );
    assert_eq!(csv.header("cache-control"), Some("no-store"));
    let text = String::from_utf8(csv.body).unwrap();
    assert_eq!(text.lines().count(), 62, "{text}");
    assert!(text.contains(&formula.id) && !text.contains("of others"));
    let lines = admin
        .get(&format!("{path}/export?action=key.created"))
        .await
        .expect(200);
    let lines: Vec<Value> = String::from_utf8(lines.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 61);
    assert!(lines.iter().all(|line| line["action"] == "key.created"));
}

#[tokio::test]
async fn use_is_shown_by_day_and_by_key() {
    let office = Office::new().await;
    let (app, admin) = (office.app(), office.admin("Ann").await);
    let key = office.shop.key().await;
    admin
        .open(&office.path("/usage"))
        .await
        .says("No key was used in this time.");
    for _ in 0..3 {
        app.trade(&key.key).await.expect(200);
    }
    let body = app
        .post("/v1/token")
        .header("X-API-Key", &key.key)
        .form(&[("scope", "nothing")]);
    body.send().await.problem("invalid_scope");
    written(app, "key_refusals", 1).await;
    written(app, "usage_daily", 1).await;
    let page = admin.open(&office.path("/usage")).await;
    page.says("In 30 days: 3 trades, 1 refusal.")
        .says("checkout");
    let own = admin.open(&format!("/dashboard/keys/{}", key.id)).await;
    own.says("22 Nov 2026")
        .says("A permission that it does not hold");
}

#[tokio::test]
async fn an_organizations_settings_are_its_admins_and_its_limits_the_operators() {
    let office = Office::new().await;
    let admin = office.admin("Ann").await;
    let path = office.path("/settings");
    let page = admin.open(&path).await;
    let form = page.form(&path);
    assert!(form.has("slug") && !form.has("max_keys") && !form.has("disabled"));
    let fields = [
        ("name", "Acme Ltd"),
        ("slug", "acme"),
        ("owner_gone", "keep"),
    ];
    let saved = admin.submit(&page, &path, &fields).await;
    saved.says("Saved.");
    let form = saved.form(&path);
    assert_eq!(
        (
            form.value("name"),
            form.value("slug"),
            form.value("owner_gone")
        ),
        (Some("Acme Ltd"), Some("acme"), Some("keep"))
    );
    let wrong = admin
        .try_submit(&saved, &path, &[("slug", "Not A Slug")])
        .await;
    wrong
        .expect(422)
        .says("Lower-case letters, digits and hyphens");
    // What the form does not have is not taken from whoever adds it.
    let mut fields = saved.form(&path).filled(&[]);
    fields.push(("disabled".to_owned(), "yes".to_owned()));
    fields.push(("max_keys".to_owned(), "0".to_owned()));
    admin.post(&path, &fields).await;
    let key = office.shop.key().await;
    office.app().trade(&key.key).await.expect(200);
    admin
        .open(&office.path("/permissions"))
        .await
        .says("Only an operator changes it.")
        .says("read:cart");
}
