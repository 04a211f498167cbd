//! Whoever proves that he holds a key is told why it is refused, at every endpoint for holders; whoever does not is told nothing.

use kagiya::http::access::Access;
use kagiya::server::routes;
use serde_json::json;

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, Shop};

/// A key that is refused, and the code that its holder is told; whether that stands in the way of stopping it, too.
struct Refused {
    key: String,
    code: &'static str,
    cannot_be_stopped: bool,
}

async fn refused(shop: &Shop) -> Vec<Refused> {
    let app = &shop.app;
    let patch = async |key: &Issued, body| {
        let request = app.patch(&key.path("")).operator().json(body);
        request.send().await.expect(200);
    };
    let rotating = json!({"self_rotate": true});
    let key = async || shop.issue(rotating.clone()).await;
    let (revoked, rotated, expired, disabled, away) = (
        key().await,
        key().await,
        key().await,
        key().await,
        key().await,
    );
    app.delete(&revoked.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let rotate = app.post(&rotated.path("/rotate")).operator();
    rotate.send().await.expect(200);
    patch(&expired, json!({"expires_at": app.time_in(10)})).await;
    patch(&disabled, json!({"disabled": true})).await;
    patch(&away, json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    let paused = app.organization("Paused").await;
    let in_paused = app.issue(&paused, rotating).await;
    let path = format!("/v1/organizations/{paused}");
    let pause = app.patch(&path).operator().json(json!({"disabled": true}));
    pause.send().await.expect(200);
    app.pass(10);
    [
        (revoked, "api_key_revoked", true),
        (rotated, "api_key_rotated", true),
        (expired, "api_key_expired", false),
        (disabled, "api_key_disabled", false),
        (in_paused, "api_key_disabled", false),
        (away, "address_not_allowed", false),
    ]
    .into_iter()
    .map(|(issued, code, cannot_be_stopped)| Refused {
        key: issued.key,
        code,
        cannot_be_stopped,
    })
    .collect()
}

#[tokio::test]
async fn the_proven_holder_is_told_why_at_every_endpoint_for_holders() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let refused = refused(&shop).await;
    let mut endpoints = 0;
    // To stop them comes last.
    let mut rows = routes();
    rows.sort_by_key(|row| row.path == "/v1/key/revoke");
    for row in rows.iter().filter(|row| row.access == Access::Key) {
        endpoints += 1;
        for Refused {
            key,
            code,
            cannot_be_stopped,
        } in &refused
        {
            let call = || app.request(row.method.as_str(), row.path);
            let answer = call().by(&Key(key)).send().await;
            if row.path == "/v1/key/revoke" && !cannot_be_stopped {
                answer.expect(204);
                continue;
            }
            answer.problem(code);
            // The same text with one letter of the password changed proves nothing: no word of the key's state.
            let mut other = key.clone().into_bytes();
            other[40] = if other[40] == b'a' { b'b' } else { b'a' };
            let forged = String::from_utf8(other).unwrap_or_default();
            let answer = call().by(&Key(&forged)).send().await;
            answer.problem("invalid_api_key");
        }
    }
    assert_eq!(endpoints, 4);
}
