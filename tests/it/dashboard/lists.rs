//! Lists of things that people look for: searched by name, with the way to the next page, and with words where nothing fits.

use serde_json::json;

use super::{Office, invited, operator};
use crate::applications::machine_role;

#[tokio::test]
async fn every_list_is_searched_by_name() {
    let office = Office::new().await;
    let app = office.app();
    app.organization("Northwind").await;
    machine_role(app, "night_shift", json!([])).await;
    let organization = &office.shop.organization;
    for name in ["Ann", "Bob"] {
        invited(app, organization, name, json!({})).await;
    }
    let olga = operator(app, "Olga").await;
    for (path, text, there, other) in [
        (
            "/dashboard/organizations".to_owned(),
            "NORTH",
            "Northwind",
            "Acme",
        ),
        (
            "/dashboard/resources".to_owned(),
            "payment.example",
            "payment.example.com",
            "cart.example.com",
        ),
        (
            "/dashboard/roles".to_owned(),
            "night_",
            "night_shift",
            "clerk",
        ),
        (office.path("/members"), "ann", "Ann", "Bob"),
    ] {
        let all = olga.open(&path).await;
        all.says(there).says(other);
        let found = olga.open(&format!("{path}?q={text}")).await;
        found.says(there).says("Clear filters");
        let rows = found.html.split("<tbody>").nth(1).unwrap();
        assert!(!rows.contains(other), "{path}: {rows}");
        // What stands for anything in the database stands for itself here.
        olga.open(&format!("{path}?q=%25n%25"))
            .await
            .says("Nothing fits these filters.");
    }
}

#[tokio::test]
async fn what_is_looked_for_stays_on_the_next_page() {
    let office = Office::new().await;
    let app = office.app();
    for number in 0..30 {
        machine_role(app, &format!("night {number:02}"), json!([])).await;
        machine_role(app, &format!("day {number:02}"), json!([])).await;
    }
    let olga = operator(app, "Olga").await;
    let first = olga.open("/dashboard/roles?q=night").await;
    let next = first.link_with("after=").replace("&amp;", "&");
    let second = olga.open(&next).await;
    let text = first.text() + &second.text();
    for number in 0..30 {
        assert_eq!(text.matches(&format!("night {number:02}")).count(), 1);
        assert!(!text.contains(&format!("day {number:02}")));
    }
}
