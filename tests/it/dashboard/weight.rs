//! What a page weighs: all that a browser loads for it, uncompressed, is 100 kB at most.

use serde_json::json;

use super::{Office, operator};
use crate::support::test_app::PAYMENT;

const MOST: usize = 100_000;

#[tokio::test]
async fn the_fullest_pages_weigh_at_most_100_kb() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let ann = office.member("Ann").await;
    for number in 0..60 {
        let body = json!({
            "name": format!("A key with a rather long name, number {number}"), "expires_at": app.time_in(86_400 * 90),
            "permissions": [{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}],
        });
        office.shop.issue(body).await;
    }
    let mut heaviest = (0, String::new());
    for (browser, path) in [
        (&olga, "/dashboard/all/keys".to_owned()),
        (&olga, office.path("/keys")),
        (&olga, "/dashboard/all/audit".to_owned()),
        (
            &olga,
            "/dashboard/all/attention?why=never-expires".to_owned(),
        ),
        (&olga, "/dashboard/security".to_owned()),
        (&olga, office.path("/keys/new")),
        (&ann, office.path("/keys/new")),
    ] {
        for language in ["en", "ja", "ko"] {
            let page = browser.twin().language(language).open(&path).await;
            let mut weight = page.html.len();
            let loaded = page
                .html
                .split('"')
                .filter(|text| text.starts_with("/dashboard/assets/"));
            for asset in loaded {
                weight += app.get(asset).send().await.expect(200).body.len();
            }
            assert!(weight <= MOST, "{path} in {language} weighs {weight} bytes");
            heaviest = heaviest.max((weight, path.clone()));
        }
    }
    println!("the heaviest: {heaviest:?}");
}
