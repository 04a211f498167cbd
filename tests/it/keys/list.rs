//! `GET /v1/keys`

use serde_json::{Value, json};

use crate::support::test_app::{Shop, TestApp};
use crate::support::transcript::Answer;

async fn list(app: &TestApp, query: &str) -> Answer {
    app.get(&format!("/v1/keys{query}")).operator().send().await
}

/// The names on a page.
fn names(page: &Answer) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn issue(shop: &Shop, name: &str) -> String {
    shop.app.pass(1);
    shop.issue(json!({"name": name})).await.id
}

#[tokio::test]
async fn keys_are_listed_newest_first_without_their_secrets() {
    let shop = Shop::new().await;
    assert_eq!(
        *list(&shop.app, "").await.expect(200).json(),
        json!({"items": [], "next_cursor": null})
    );
    for name in ["a", "b", "c"] {
        issue(&shop, name).await;
    }
    let page = list(&shop.app, "").await.expect(200);
    assert_eq!(names(&page), ["c", "b", "a"]);
    assert_eq!(page["next_cursor"], Value::Null);
    let item = &page["items"][0];
    let shown = shop
        .app
        .get(&format!("/v1/keys/{}", item["id"].as_str().unwrap()));
    assert_eq!(item, shown.operator().send().await.expect(200).json());
}

#[tokio::test]
async fn pages_stay_where_they_are_while_keys_are_added() {
    let shop = Shop::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        issue(&shop, name).await;
    }
    let page = list(&shop.app, "?limit=2").await.expect(200);
    assert_eq!(names(&page), ["e", "d"]);
    issue(&shop, "f").await;
    let page = list(
        &shop.app,
        &format!("?limit=2&cursor={}", page.text("next_cursor")),
    )
    .await
    .expect(200);
    assert_eq!(names(&page), ["c", "b"]);
    issue(&shop, "g").await;
    let page = list(
        &shop.app,
        &format!("?limit=2&cursor={}", page.text("next_cursor")),
    )
    .await
    .expect(200);
    assert_eq!(
        (names(&page), &page["next_cursor"]),
        (vec!["a".to_owned()], &Value::Null)
    );
}

#[tokio::test]
async fn keys_of_one_moment_are_each_listed_once() {
    let shop = Shop::new().await;
    for _ in 0..5 {
        shop.key().await;
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = list(&shop.app, &query).await.expect(200);
        let ids = page["items"].as_array().unwrap().iter();
        seen.extend(ids.map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn a_full_page_that_is_the_last_has_no_next() {
    let shop = Shop::new().await;
    for name in ["a", "b"] {
        issue(&shop, name).await;
    }
    let page = list(&shop.app, "?limit=2").await.expect(200);
    assert_eq!(
        (names(&page).len(), &page["next_cursor"]),
        (2, &Value::Null)
    );
    let page = list(&shop.app, "?limit=1").await.expect(200);
    let page = list(
        &shop.app,
        &format!("?limit=1&cursor={}", page.text("next_cursor")),
    )
    .await
    .expect(200);
    assert_eq!(
        (names(&page), &page["next_cursor"]),
        (vec!["a".to_owned()], &Value::Null)
    );
}

#[tokio::test]
async fn lists_are_narrowed_by_organization_status_and_text() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let other = app.organization("Other").await;
    let active = issue(&shop, "active").await;
    let disabled = issue(&shop, "disabled").await;
    let revoked = issue(&shop, "revoked").await;
    app.pass(1);
    shop.issue(json!({"name": "expired", "expires_at": app.time_in(600)}))
        .await;
    app.pass(1);
    app.issue(&other, json!({"name": "elsewhere 100%_\\"}))
        .await;
    app.patch(&format!("/v1/keys/{disabled}"))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    app.delete(&format!("/v1/keys/{revoked}"))
        .operator()
        .send()
        .await
        .expect(204);
    app.pass(600);
    for (query, expected) in [
        (
            format!("?organization_id={}", shop.organization),
            &["expired", "revoked", "disabled", "active"][..],
        ),
        (format!("?organization_id={other}"), &["elsewhere 100%_\\"]),
        (
            "?organization_id=org_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            &[],
        ),
        (
            "?status=active".to_owned(),
            &["elsewhere 100%_\\", "active"],
        ),
        ("?status=disabled".to_owned(), &["disabled"]),
        ("?status=revoked".to_owned(), &["revoked"]),
        ("?status=expired".to_owned(), &["expired"]),
        ("?status=pending".to_owned(), &[]),
        ("?q=able".to_owned(), &["disabled"]),
        (format!("?q={active}"), &["active"]),
        ("?q=100%25".to_owned(), &["elsewhere 100%_\\"]),
        ("?q=%25".to_owned(), &["elsewhere 100%_\\"]),
        (
            "?q=_".to_owned(),
            &[
                "elsewhere 100%_\\",
                "expired",
                "revoked",
                "disabled",
                "active",
            ],
        ),
        ("?q=0%25_%5C".to_owned(), &["elsewhere 100%_\\"]),
        ("?q=nothing".to_owned(), &[]),
        (
            format!("?status=active&organization_id={other}&q=else"),
            &["elsewhere 100%_\\"],
        ),
    ] {
        let page = list(app, &query).await.expect(200);
        assert_eq!(names(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_query_is_told_with_its_parameter() {
    let shop = Shop::new().await;
    issue(&shop, "a").await;
    issue(&shop, "b").await;
    let page = list(&shop.app, "?limit=1").await.expect(200);
    let cursor = page.text("next_cursor");
    for (query, code, field) in [
        ("?limit=0", "invalid_parameter", "limit"),
        ("?limit=201", "invalid_parameter", "limit"),
        ("?limit=-1", "invalid_parameter", "limit"),
        ("?limit=ten", "invalid_parameter", "limit"),
        ("?limit=", "invalid_parameter", "limit"),
        ("?limit=99999999999999999999", "invalid_parameter", "limit"),
        ("?limit=1&limit=1", "invalid_request", "limit"),
        ("?cursor=", "invalid_parameter", "cursor"),
        ("?cursor=nonsense", "invalid_parameter", "cursor"),
        ("?cursor=AAAA", "invalid_parameter", "cursor"),
        (&format!("?cursor={cursor}A"), "invalid_parameter", "cursor"),
        (
            &format!("?cursor={}", &cursor[..10]),
            "invalid_parameter",
            "cursor",
        ),
        (
            &format!("?cursor={cursor}%3D"),
            "invalid_parameter",
            "cursor",
        ),
        ("?status=gone", "invalid_parameter", "status"),
        ("?status=ACTIVE", "invalid_parameter", "status"),
        ("?status=", "invalid_parameter", "status"),
        (
            "?organization_id=acme",
            "invalid_parameter",
            "organization_id",
        ),
        ("?organisation_id=x", "unknown_field", "organisation_id"),
        ("?page=2", "unknown_field", "page"),
    ] {
        list(&shop.app, query).await.problem(code).names(field);
    }
    list(&shop.app, "?q=%ff").await.problem("invalid_request");
    list(&shop.app, "?q=%zz").await.problem("invalid_request");
}
