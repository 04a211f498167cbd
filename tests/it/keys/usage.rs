//! `GET /v1/keys/{id}/usage`

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

/// Stops and starts: what was counted is written then.
async fn written(shop: Shop) -> Shop {
    shop.again(TestApp::restart).await
}

async fn usage(shop: &Shop, key: &Issued, query: &str) -> Answer {
    let path = key.path(&format!("/usage{query}"));
    shop.app.get(&path).operator().send().await.expect(200)
}

/// The rows as lines, sorted.
fn lines(answer: &Answer) -> Vec<String> {
    let line = |item: &Value| {
        let text = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
        let (date, scope) = (text("date"), text("scope"));
        let resource = text("resource").replace(PAYMENT, "payment");
        format!(
            "{date} {resource} {scope} {}/{}",
            item["exchanges"], item["refusals"]
        )
    };
    let mut lines: Vec<String> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect();
    lines.sort();
    lines
}

async fn ask(shop: &Shop, key: &Issued, body: Value) -> Answer {
    shop.app
        .post("/v1/token")
        .by(&Key(&key.key))
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn a_key_that_was_never_used_has_no_rows() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let answer = usage(&shop, &key, "").await;
    assert_eq!(
        answer.json(),
        &json!({"items": [], "next_cursor": null, "last_used_at": null})
    );
}

#[tokio::test]
async fn trades_and_refusals_are_counted_by_day_resource_and_scope() {
    let shop = Shop::new().await;
    let wide = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    let key = shop.issue(json!({"permissions": wide})).await;
    let today = shop.app.time_in(0)[..10].to_owned();
    for body in [
        json!({}),
        json!({"resource": PAYMENT}),
        json!({"scope": "read:payment"}),
    ] {
        ask(&shop, &key, body).await.expect(200);
    }
    ask(&shop, &key, json!({"scope": "read:payment write:payment"}))
        .await
        .expect(200);
    ask(&shop, &key, json!({"scope": "delete:payment"}))
        .await
        .problem("invalid_scope");
    let wrong = json!({"resource": PAYMENT, "scope": "delete:payment"});
    ask(&shop, &key, wrong).await.problem("invalid_scope");
    ask(&shop, &key, json!({"resource": "https://x.example.com"}))
        .await
        .problem("invalid_target");
    shop.app.pass(86_400);
    let tomorrow = shop.app.time_in(0)[..10].to_owned();
    ask(&shop, &key, json!({})).await.expect(200);
    let last = shop.app.time_in(0);
    let delete = shop.app.delete(&key.path("")).operator();
    delete.send().await.expect(204);
    ask(&shop, &key, json!({})).await.problem("api_key_revoked");
    let shop = written(shop).await;
    let answer = usage(&shop, &key, "").await;
    assert_eq!(
        lines(&answer),
        [
            format!("{today} - - 0/2"),
            format!("{today} payment - 0/1"),
            format!("{today} payment read:payment 1/0"),
            format!("{today} payment read:payment write:payment 3/0"),
            format!("{tomorrow} - - 0/1"),
            format!("{tomorrow} payment read:payment write:payment 1/0"),
        ]
    );
    assert_eq!(
        answer["items"][0]["date"],
        tomorrow.as_str(),
        "newest first"
    );
    assert_eq!(
        answer["last_used_at"].as_str().map(|at| &at[..19]),
        Some(&last[..19])
    );
}

#[tokio::test]
async fn keys_of_several_resources_are_counted_at_each() {
    let shop = Shop::new().await;
    let other = "https://ledger.example.com/api";
    shop.app.resource(other, &["read:ledger"]).await;
    let both = json!([
        {"resource": PAYMENT, "scopes": ["write:payment"]},
        {"resource": other, "scopes": ["read:ledger"]},
    ]);
    let key = shop.issue(json!({"permissions": both})).await;
    for resource in [PAYMENT, other, other] {
        ask(&shop, &key, json!({"resource": resource}))
            .await
            .expect(200);
    }
    let shop = written(shop).await;
    let answer = usage(&shop, &key, "").await;
    let counts = |resource: &str| -> i64 {
        let items = answer["items"].as_array().unwrap().iter();
        let at = items.filter(|item| item["resource"] == resource);
        at.map(|item| item["exchanges"].as_i64().unwrap()).sum()
    };
    assert_eq!((counts(PAYMENT), counts(other)), (1, 2));
}

#[tokio::test]
async fn the_rows_come_in_pages() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for _ in 0..5 {
        ask(&shop, &key, json!({})).await.expect(200);
        ask(&shop, &key, json!({"scope": "none"}))
            .await
            .problem("invalid_scope");
        shop.app.pass(86_400);
    }
    let shop = written(shop).await;
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = usage(&shop, &key, &query).await;
        seen.extend(lines(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=3&cursor={cursor}");
    }
    let whole = usage(&shop, &key, "").await;
    seen.sort();
    assert_eq!(seen, lines(&whole));
    assert_eq!(seen.len(), 10);
}
