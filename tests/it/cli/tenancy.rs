//! The commands of tenancy: people, roles, members, what an organization may use.

use serde_json::json;

use super::{Home, PAYMENT};

#[test]
fn people_roles_and_members_are_made_listed_and_removed() {
    let home = Home::new();
    home.shop();
    let line = [
        "users",
        "create",
        "https://sso.example.com",
        "ann",
        "--name",
        "Ann",
        "--json",
    ];
    let ann = home.kagiya(&line).json()["id"].as_str().unwrap().to_owned();
    assert!(home.kagiya(&["users", "list"]).done().contains("Ann"));
    let line = [
        "roles",
        "create",
        "clerk",
        "--kind",
        "user",
        "--permission",
        PAYMENT,
        "read:payment",
        "--json",
    ];
    let role = home.kagiya(&line).json()["id"].as_str().unwrap().to_owned();
    let list = home.kagiya(&["roles", "list", "--kind", "user"]).done();
    assert!(list.contains("read:payment"), "{list}");
    let line = [
        "organizations",
        "members",
        "put",
        "cart",
        &ann,
        "--role-id",
        &role,
        "--json",
    ];
    assert_eq!(home.kagiya(&line).json()["roles"], json!([role]));
    let list = home
        .kagiya(&["organizations", "members", "list", "cart"])
        .done();
    assert!(list.contains(&ann) && list.contains("member"), "{list}");
    let said = home.kagiya(&["roles", "delete", &role]).refused();
    assert!(said.contains(&ann), "{said}");
    let line = [
        "keys",
        "create",
        "--name",
        "till",
        "--organization",
        "cart",
        "--owner",
        &ann,
        "--json",
    ];
    let key = home.kagiya(&line).json();
    assert_eq!(key["owner"]["sub"], "ann");
    let list = home
        .kagiya(&["keys", "list", "--owner", &ann, "--json"])
        .json();
    assert_eq!(list["items"][0]["id"], key["id"]);
    home.kagiya(&["organizations", "members", "remove", "cart", &ann])
        .done();
    home.kagiya(&["roles", "delete", &role]).done();
    let shown = home
        .kagiya(&["keys", "show", key["id"].as_str().unwrap(), "--json"])
        .json();
    assert_eq!(shown["status"], "disabled");
}

#[test]
fn an_organization_is_bounded_paused_and_freed() {
    let home = Home::new();
    home.shop();
    let line = [
        "organizations",
        "permit",
        "cart",
        "--permission",
        PAYMENT,
        "read:payment",
        "--json",
    ];
    let bounded = home.kagiya(&line).json();
    assert_eq!(
        bounded["permissions"],
        json!([{"resource": PAYMENT, "scopes": ["read:payment"]}])
    );
    let freed = home
        .kagiya(&["organizations", "permit", "cart", "--everything"])
        .done();
    assert!(freed.contains("everything"), "{freed}");
    assert_eq!(
        home.kagiya(&["organizations", "disable", "cart", "--json"])
            .json()["disabled"],
        true
    );
    assert_eq!(
        home.kagiya(&["organizations", "enable", "cart", "--json"])
            .json()["disabled"],
        false
    );
    let line = [
        "organizations",
        "create",
        "Small",
        "--max-keys",
        "2",
        "--owner-gone",
        "keep",
        "--json",
    ];
    let small = home.kagiya(&line).json();
    assert_eq!(
        (&small["max_keys"], &small["owner_gone"]),
        (&json!(2), &json!("keep"))
    );
}
