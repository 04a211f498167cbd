//! `PATCH /v1/keys/{id}`

use serde_json::{Value, json};

use crate::support::test_app::{CART, Issued, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn patch(shop: &Shop, key: &Issued, body: Value) -> Answer {
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn what_is_absent_stays_and_null_clears() {
    let shop = Shop::new().await;
    let set = json!({
        "name": "one",
        "metadata": {"team": "cart"},
        "allowed_cidrs": ["127.0.0.0/8"],
        "rate_limit": {"requests": 100, "per_seconds": 60},
        "expires_at": "2030-01-01T00:00:00Z",
        "default_resource": PAYMENT,
    });
    let key = shop.issue(set.clone()).await;
    let before = patch(&shop, &key, json!({})).await.expect(200);
    for (member, value) in set.as_object().unwrap() {
        assert_eq!(&before[member.as_str()], value);
    }
    let renamed = patch(&shop, &key, json!({"name": "two"})).await.expect(200);
    assert_eq!(renamed["name"], "two");
    assert_eq!(renamed["metadata"], json!({"team": "cart"}));
    for (member, cleared) in [
        ("metadata", json!({})),
        ("allowed_cidrs", Value::Null),
        ("rate_limit", Value::Null),
        ("expires_at", Value::Null),
        ("default_resource", Value::Null),
    ] {
        let answer = patch(&shop, &key, json!({member: null})).await.expect(200);
        assert_eq!(answer[member], cleared, "{member}");
    }
    for member in ["name", "disabled", "self_rotate"] {
        patch(&shop, &key, json!({member: null}))
            .await
            .problem("invalid_parameter")
            .names(member);
    }
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_changes() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for (body, code, field) in [
        (json!({"name": ""}), "invalid_parameter", "name"),
        (json!({"disabled": "yes"}), "invalid_parameter", "disabled"),
        (
            json!({"metadata": {"A": "x"}}),
            "invalid_parameter",
            "metadata",
        ),
        (
            json!({"allowed_cidrs": []}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"rate_limit": {"requests": 0, "per_seconds": 1}}),
            "invalid_parameter",
            "rate_limit",
        ),
        (
            json!({"expires_at": shop.app.time_in(0)}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": "soon"}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"default_resource": CART}),
            "invalid_parameter",
            "default_resource",
        ),
        (
            json!({"default_resource": "x"}),
            "invalid_parameter",
            "default_resource",
        ),
        (
            json!({"self_rotate": "yes"}),
            "invalid_parameter",
            "self_rotate",
        ),
        (json!({"permissions": []}), "unknown_field", "permissions"),
        (
            json!({"organization_id": shop.organization}),
            "unknown_field",
            "organization_id",
        ),
        (
            json!({"identity_provider": "builtin"}),
            "unknown_field",
            "identity_provider",
        ),
        (json!({"revoked_at": null}), "unknown_field", "revoked_at"),
        (
            json!({"name": "kept back", "default_resource": CART}),
            "invalid_parameter",
            "default_resource",
        ),
    ] {
        patch(&shop, &key, body).await.problem(code).names(field);
    }
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown.header("etag"), Some(key.etag.as_str()));
    assert_eq!(shown["name"], "checkout");
}

#[tokio::test]
async fn a_pause_counts_from_the_answer_on_and_so_does_its_end() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for _ in 0..3 {
        shop.app.trade(&key.key).await.expect(200);
        let paused = patch(&shop, &key, json!({"disabled": true}))
            .await
            .expect(200);
        assert_eq!(paused["status"], "disabled");
        shop.app.trade(&key.key).await.problem("api_key_disabled");
        let live = patch(&shop, &key, json!({"disabled": false}))
            .await
            .expect(200);
        assert_eq!(live["status"], "active");
    }
    // What it is already, it may be told to be.
    patch(&shop, &key, json!({"disabled": false}))
        .await
        .expect(200);
    patch(&shop, &key, json!({"disabled": true}))
        .await
        .expect(200);
    patch(&shop, &key, json!({"disabled": true}))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_end_can_be_set_moved_and_taken_away_even_after_it() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    patch(&shop, &key, json!({"expires_at": shop.app.time_in(60)}))
        .await
        .expect(200);
    shop.app.pass(60);
    shop.app.trade(&key.key).await.problem("api_key_expired");
    patch(&shop, &key, json!({"expires_at": shop.app.time_in(60)}))
        .await
        .expect(200);
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(60);
    shop.app.trade(&key.key).await.problem("api_key_expired");
    patch(&shop, &key, json!({"expires_at": null}))
        .await
        .expect(200);
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_revoked_key_is_not_changed() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    for body in [
        json!({"name": "x"}),
        json!({"disabled": false}),
        json!({"expires_at": null}),
        json!({}),
    ] {
        patch(&shop, &key, body).await.problem("key_revoked");
    }
    let body = json!({"permissions": []});
    let put = shop
        .app
        .put(&key.path("/permissions"))
        .operator()
        .json(body);
    put.send().await.problem("key_revoked");
    shop.app.trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn a_stale_version_is_refused_and_the_present_one_is_taken() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let patch = async |tag: &str, name: &str| {
        let request = shop.app.patch(&key.path("")).operator().if_match(tag);
        request.json(json!({"name": name})).send().await
    };
    let one = patch(&key.etag, "one").await.expect(200);
    let tag = one.header("etag").unwrap().to_owned();
    assert_ne!(tag, key.etag);
    patch(&key.etag, "two").await.problem("precondition_failed");
    patch(&format!("W/{tag}"), "two")
        .await
        .problem("precondition_failed");
    patch("\"nonsense\"", "two")
        .await
        .problem("precondition_failed");
    patch("nonsense", "two").await.problem("invalid_request");
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&shown["name"], shown.header("etag")),
        (&json!("one"), Some(tag.as_str()))
    );
    patch(&format!("{}, {tag}", key.etag), "two")
        .await
        .expect(200);
    patch("*", "three").await.expect(200);
    let put = shop
        .app
        .put(&key.path("/permissions"))
        .operator()
        .if_match(&tag);
    put.json(json!({"permissions": []}))
        .send()
        .await
        .problem("precondition_failed");
    let delete = shop.app.delete(&key.path("")).operator().if_match(&tag);
    delete.send().await.problem("precondition_failed");
    assert_eq!(shop.app.claims(&key.key).await["scope"], "write:payment");
}
