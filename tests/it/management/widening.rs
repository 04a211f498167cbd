//! Nobody gives what he does not hold: a key that manages keys never makes one that may more than itself.

use serde_json::{Value, json};

use super::{Manager, manager, manager_with};
use crate::support::test_app::{CART, Issued, MANAGEMENT, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn create(shop: &Shop, manager: &Manager, further: Value) -> Answer {
    shop.app
        .post("/v1/keys")
        .by(manager)
        .json(shop.wanted(further))
        .send()
        .await
}

async fn patch(shop: &Shop, manager: &Manager, key: &Issued, body: Value) -> Answer {
    shop.app
        .patch(&key.path(""))
        .by(manager)
        .json(body)
        .send()
        .await
}

fn read_payment() -> Value {
    json!([{"resource": PAYMENT, "scopes": ["read:payment"]}])
}

#[tokio::test]
async fn a_key_gives_at_most_its_own_permissions() {
    let shop = Shop::new().await;
    let manager = manager_with(&shop, &["keys:write"], read_payment(), json!({})).await;
    create(&shop, &manager, json!({"permissions": read_payment()}))
        .await
        .expect(201);
    create(&shop, &manager, json!({"permissions": []}))
        .await
        .expect(201);
    for beyond in [
        json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]),
        json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]),
        json!([{"resource": CART, "scopes": ["read:cart"]}]),
        // Not even what it holds itself: rights on this API are given by an operator alone.
        json!([{"resource": MANAGEMENT, "scopes": ["keys:write"]}]),
    ] {
        create(&shop, &manager, json!({"permissions": beyond}))
            .await
            .problem("would_widen");
    }
    assert_eq!(crate::keys::keys_on_record(&shop.app).await, 3);
}

#[tokio::test]
async fn a_key_gives_no_more_than_it_holds_at_that_moment() {
    let shop = Shop::new().await;
    let manager = manager_with(&shop, &["keys:write"], read_payment(), json!({})).await;
    let body = json!({"permissions": [{"resource": MANAGEMENT, "scopes": ["keys:write"]}]});
    let put = shop
        .app
        .put(&manager.key.path("/permissions"))
        .operator()
        .json(body);
    put.send().await.expect(200);
    let late = create(&shop, &manager, json!({"permissions": read_payment()})).await;
    late.problem("would_widen");
}

#[tokio::test]
async fn a_key_gives_limits_at_least_as_tight_as_its_own() {
    let shop = Shop::new().await;
    let end = shop.app.time_in(1000);
    let further = json!({
        "expires_at": end, "rate_limit": {"requests": 100, "per_seconds": 60}, "allowed_cidrs": ["127.0.0.0/8", "192.0.2.0/24"],
    });
    let manager = manager_with(&shop, &["keys:write"], read_payment(), further.clone()).await;
    let with = |change: Value| {
        let base = crate::support::test_app::merged(
            json!({"permissions": read_payment()}),
            further.clone(),
        );
        crate::support::test_app::merged(base, change)
    };
    for tight in [
        json!({}),
        json!({"expires_at": shop.app.time_in(999)}),
        json!({"rate_limit": {"requests": 50, "per_seconds": 60}}),
        json!({"allowed_cidrs": ["192.0.2.128/25"]}),
    ] {
        create(&shop, &manager, with(tight)).await.expect(201);
    }
    for loose in [
        json!({"expires_at": null}),
        json!({"expires_at": shop.app.time_in(1001)}),
        json!({"rate_limit": null}),
        json!({"rate_limit": {"requests": 101, "per_seconds": 60}}),
        json!({"allowed_cidrs": null}),
        json!({"allowed_cidrs": ["192.0.2.0/23"]}),
        json!({"allowed_cidrs": ["192.0.2.0/24", "198.51.100.0/24"]}),
    ] {
        create(&shop, &manager, with(loose))
            .await
            .problem("would_widen");
    }
}

#[tokio::test]
async fn a_key_neither_rotates_nor_enables_nor_loosens_what_is_beyond_it() {
    let shop = Shop::new().await;
    let manager = manager_with(&shop, &["keys:write"], read_payment(), json!({})).await;
    let beyond = shop
        .issue(json!({"expires_at": shop.app.time_in(1000)}))
        .await;
    let within = shop.issue(json!({"permissions": read_payment()})).await;
    let app = &shop.app;
    app.post(&beyond.path("/rotate"))
        .by(&manager)
        .send()
        .await
        .problem("would_widen");
    app.post(&within.path("/rotate"))
        .by(&manager)
        .send()
        .await
        .expect(200);
    // To narrow and to stop is always allowed at home.
    patch(&shop, &manager, &beyond, json!({"disabled": true}))
        .await
        .expect(200);
    patch(&shop, &manager, &beyond, json!({"disabled": false}))
        .await
        .problem("would_widen");
    patch(&shop, &manager, &beyond, json!({"name": "x"}))
        .await
        .expect(200);
    patch(
        &shop,
        &manager,
        &beyond,
        json!({"expires_at": app.time_in(500)}),
    )
    .await
    .expect(200);
    patch(&shop, &manager, &beyond, json!({"expires_at": null}))
        .await
        .problem("would_widen");
    patch(
        &shop,
        &manager,
        &beyond,
        json!({"allowed_cidrs": ["192.0.2.0/24"]}),
    )
    .await
    .expect(200);
    patch(&shop, &manager, &beyond, json!({"allowed_cidrs": null}))
        .await
        .problem("would_widen");
    patch(
        &shop,
        &manager,
        &beyond,
        json!({"rate_limit": {"requests": 1, "per_seconds": 1}}),
    )
    .await
    .expect(200);
    patch(&shop, &manager, &beyond, json!({"rate_limit": null}))
        .await
        .problem("would_widen");
    patch(&shop, &manager, &beyond, json!({"self_rotate": true}))
        .await
        .problem("would_widen");
    patch(&shop, &manager, &within, json!({"self_rotate": true}))
        .await
        .expect(200);
    app.patch(&beyond.path(""))
        .operator()
        .json(json!({"self_rotate": true}))
        .send()
        .await
        .expect(200);
    patch(&shop, &manager, &beyond, json!({"self_rotate": true}))
        .await
        .expect(200);
    patch(&shop, &manager, &beyond, json!({"self_rotate": false}))
        .await
        .expect(200);
    let put = async |key: &Issued, permissions: Value| {
        let body = json!({"permissions": permissions});
        app.put(&key.path("/permissions"))
            .by(&manager)
            .json(body)
            .send()
            .await
    };
    put(
        &within,
        json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]),
    )
    .await
    .problem("would_widen");
    put(&within, json!([])).await.expect(200);
    put(&within, read_payment()).await.expect(200);
    put(&beyond, json!([])).await.expect(200);
    app.delete(&beyond.path(""))
        .by(&manager)
        .send()
        .await
        .expect(204);
}

#[tokio::test]
async fn a_key_never_loosens_itself() {
    let shop = Shop::new().await;
    let further = json!({"expires_at": shop.app.time_in(1000)});
    let manager = manager_with(&shop, &["keys:write"], read_payment(), further).await;
    let app = &shop.app;
    let own = &manager.key;
    patch(&shop, &manager, own, json!({"expires_at": null}))
        .await
        .problem("would_widen");
    patch(
        &shop,
        &manager,
        own,
        json!({"expires_at": app.time_in(2000)}),
    )
    .await
    .problem("would_widen");
    app.post(&own.path("/rotate"))
        .by(&manager)
        .send()
        .await
        .problem("would_widen");
    let body = json!({"permissions": [
        {"resource": MANAGEMENT, "scopes": ["keys:write", "audit:read"]},
        {"resource": PAYMENT, "scopes": ["read:payment"]},
    ]});
    let put = app.put(&own.path("/permissions")).by(&manager).json(body);
    put.send().await.problem("would_widen");
    let refused = patch(&shop, &manager, own, json!({"self_rotate": true})).await;
    let detail = refused.problem("would_widen").text("detail");
    assert!(detail.contains("a key never loosens itself"), "{detail}");
    patch(
        &shop,
        &manager,
        own,
        json!({"expires_at": app.time_in(900)}),
    )
    .await
    .expect(200);
    app.delete(&own.path(""))
        .by(&manager)
        .send()
        .await
        .expect(204);
    app.get("/v1/keys")
        .by(&manager)
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn a_key_that_may_rotate_itself_does_so_with_the_key_and_never_with_its_token() {
    let shop = Shop::new().await;
    let further = json!({"self_rotate": true});
    let manager = manager_with(&shop, &["keys:write"], read_payment(), further).await;
    let app = &shop.app;
    app.post(&manager.key.path("/rotate"))
        .by(&manager)
        .send()
        .await
        .problem("would_widen");
    app.post("/v1/key/rotate")
        .by(&crate::support::credentials::Bearer(&manager.token))
        .send()
        .await
        .problem("invalid_api_key");
    app.post("/v1/key/rotate")
        .by(&crate::support::credentials::Key(&manager.key.key))
        .send()
        .await
        .expect(200);
    // The token was of the generation that is gone.
    app.get("/v1/me")
        .by(&manager)
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn the_operator_gives_anything() {
    let shop = Shop::new().await;
    manager(&shop, &["keys:read", "keys:write", "signing_keys:write"]).await;
}
