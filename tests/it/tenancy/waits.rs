//! On PostgreSQL, where transactions run side by side: whoever gives something waits for a narrowing of what he holds that was written and
//! is not committed yet, and then gives less. (SQLite has one writer.)

use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use super::{put_member, role};
use crate::management::manager_with;
use crate::support::credentials::{Bearer, Credential};
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};

fn write_payment() -> Value {
    json!([{"resource": PAYMENT, "scopes": ["write:payment"]}])
}

/// A connection of our own to the database of an application.
async fn beside(app: &TestApp) -> Client {
    assert!(
        app.database().file().is_none(),
        "KAGIYA_TEST_POSTGRES_URL names a server"
    );
    let (client, connection) = tokio_postgres::connect(app.database().url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// Makes the call while `narrowing` is written and not committed; once it waits for that, commits.
async fn call_beside(
    (shop, narrowing): (&Shop, &str),
    by: &impl Credential,
    (method, path, body): (&str, &str, &Value),
    code: &str,
) {
    let client = beside(&shop.app).await;
    client
        .batch_execute(&format!("BEGIN; {narrowing}"))
        .await
        .unwrap();
    let call = async {
        let request = shop.app.request(method, path).by(by).json(body.clone());
        request.send().await
    };
    let waits = async {
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        loop {
            let row = client.query_one(blocked, &[]).await.unwrap();
            if row.get::<_, i64>(0) > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::pin!(call);
    tokio::select! {
        answer = &mut call => panic!("{narrowing} was not waited for\n{}", answer.transcript()),
        () = waits => {}
    }
    client.batch_execute("COMMIT").await.unwrap();
    call.await.problem(code);
}

/// What each of the calls gives: a new key, the text of another one, more permissions, a longer life.
async fn gives(shop: &Shop) -> Vec<(&'static str, String, Value)> {
    let (rotated, widened, paused) = (
        shop.key().await,
        shop.issue(json!({"permissions": []})).await,
        shop.key().await,
    );
    let pause = shop.app.patch(&paused.path("")).operator();
    let pause = pause.json(json!({"disabled": true})).send().await;
    pause.expect(200);
    vec![
        ("POST", "/v1/keys".to_owned(), shop.wanted(json!({}))),
        ("POST", rotated.path("/rotate"), json!({})),
        (
            "PUT",
            widened.path("/permissions"),
            json!({"permissions": write_payment()}),
        ),
        ("PATCH", paused.path(""), json!({"disabled": false})),
    ]
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run by the CI"]
async fn a_key_waits_for_what_narrows_it_or_its_organization() {
    for call in 0..4 {
        for narrowing in [
            "DELETE FROM api_key_permissions WHERE key_id = '{key}' AND permission_id = '{permission}'; \
             UPDATE api_keys SET epoch = epoch + 1 WHERE id = '{key}'",
            "INSERT INTO organization_permissions SELECT '{org}', id FROM permissions WHERE id <> '{permission}'; \
             UPDATE organizations SET limited = TRUE, version = version + 1 WHERE id = '{org}'",
        ] {
            let shop = Shop::new().await;
            let manager = manager_with(&shop, &["keys:write"], write_payment(), json!({})).await;
            let calls = gives(&shop).await;
            let (method, path, body) = &calls[call];
            let narrowing = filled(&shop, narrowing, &manager.key).await;
            let by = Bearer(&manager.token);
            call_beside(
                (&shop, &narrowing),
                &by,
                (method, path, body),
                "would_widen",
            )
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run by the CI"]
async fn a_person_waits_for_what_narrows_his_roles_or_the_organization() {
    for call in 0..4 {
        for narrowing in [
            "DELETE FROM membership_roles WHERE organization_id = '{org}'; \
             UPDATE memberships SET version = version + 1 WHERE organization_id = '{org}'",
            "DELETE FROM role_permissions WHERE permission_id = '{permission}'; UPDATE roles SET version = version + 1",
            "INSERT INTO organization_permissions SELECT '{org}', id FROM permissions WHERE id <> '{permission}'; \
             UPDATE organizations SET limited = TRUE, version = version + 1 WHERE id = '{org}'",
        ] {
            let issuer = OpenIdIssuer::start();
            let shop = Shop::on(issuer.setup(&[]).start().await).await;
            let token = issuer.token(&shop.app, "ann");
            let by = Bearer(&token);
            let me = shop.app.get("/v1/me").by(&by).send().await.expect(200);
            let ann = me["user"]["id"].as_str().unwrap().to_owned();
            let clerk = role(&shop.app, "clerk", &["write:payment"]).await;
            let member = (shop.organization.as_str(), ann.as_str());
            put_member(&shop.app, member, "member", &[&clerk])
                .await
                .expect(201);
            let mut calls = gives(&shop).await;
            let (method, path, body) = calls.swap_remove(call);
            if let Some(id) = path.strip_prefix("/v1/keys/") {
                // His own, so that he sees it.
                let id = id.split('/').next().unwrap();
                let hers = shop.app.patch(&format!("/v1/keys/{id}")).operator();
                let hers = hers.json(json!({"owner": ann})).send().await;
                hers.expect(200);
            }
            let any = shop.key().await;
            let narrowing = filled(&shop, narrowing, &any).await;
            call_beside(
                (&shop, &narrowing),
                &by,
                (method, &path, &body),
                "beyond_grantor",
            )
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run by the CI"]
async fn an_admin_waits_for_what_makes_him_a_member_like_others() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&[]).start().await).await;
    let token = issuer.token(&shop.app, "ann");
    let by = Bearer(&token);
    let me = shop.app.get("/v1/me").by(&by).send().await.expect(200);
    let ann = me["user"]["id"].as_str().unwrap().to_owned();
    put_member(&shop.app, (&shop.organization, &ann), "admin", &[])
        .await
        .expect(201);
    let bob = super::user(&shop.app, "bob").await;
    let path = format!("/v1/organizations/{}/members/{bob}", shop.organization);
    let any = shop.key().await;
    let demotion = "UPDATE memberships SET role = 'member', version = version + 1 WHERE organization_id = '{org}'";
    let demotion = filled(&shop, demotion, &any).await;
    // It gives nothing, but only an admin says who is in.
    let body = json!({"role": "member"});
    call_beside((&shop, &demotion), &by, ("PUT", &path, &body), "forbidden").await;
}

/// The statements with the ids of this shop.
async fn filled(shop: &Shop, narrowing: &str, key: &Issued) -> String {
    let path = format!("/v1/resources/{}/permissions", shop.payment);
    let list = shop.app.get(&path).operator().send().await.expect(200);
    let permissions = list["items"].as_array().unwrap();
    let write = permissions
        .iter()
        .find(|permission| permission["name"] == "write:payment");
    narrowing
        .replace("{key}", &key.id)
        .replace("{org}", &shop.organization)
        .replace("{permission}", write.unwrap()["id"].as_str().unwrap())
}
