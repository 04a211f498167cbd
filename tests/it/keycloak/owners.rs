//! The owners of keys are people of another realm, who are disabled there or lose a role.

use serde_json::json;

use crate::provider::eventually;
use crate::support::corp::Corp;
use crate::support::keycloak::{Keycloak, person};
use crate::support::test_app::PAYMENT;

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn the_keys_of_a_person_who_is_disabled_are_paused_in_time() {
    let keycloak = Keycloak::shared();
    let people = keycloak.people().await;
    let ann = person(&keycloak, &people, "ann").await;
    let settings = format!("people_realm = '{people}'\nowner_check_seconds = 5");
    let corp = Corp::start(&settings).await;
    let owner = json!({"iss": format!("{}/realms/{people}", keycloak.url()), "sub": ann});
    let mut body = super::both();
    body["owner"] = owner;
    let key = corp.key(body).await;
    assert_eq!(corp.scope(&key).await, "read:payment write:payment");

    // Where her realm knows the resource, its roles bound her keys.
    let client = json!({"clientId": PAYMENT, "enabled": true, "bearerOnly": true});
    keycloak
        .good(&people, ("POST", "/clients"), Some(&client))
        .await;
    let path = format!("/clients?clientId={}", crate::support::corp::coded(PAYMENT));
    let found = keycloak.good(&people, ("GET", &path), None).await;
    let client = found[0]["id"].as_str().unwrap();
    let roles = format!("/clients/{client}/roles");
    for name in ["read:payment", "write:payment"] {
        keycloak
            .good(&people, ("POST", &roles), Some(&json!({"name": name})))
            .await;
    }
    let role = format!("{roles}/{}", crate::support::corp::coded("read:payment"));
    let role = keycloak.good(&people, ("GET", &role), None).await;
    let role = json!([{"id": role["id"], "name": role["name"]}]);
    let path = format!("/users/{ann}/role-mappings/clients/{client}");
    keycloak.good(&people, ("POST", &path), Some(&role)).await;
    eventually("her rights bound her key", async || {
        let answer = corp.app().trade(&key.key).await;
        answer.json()["scope"] == "read:payment"
    })
    .await;

    let path = format!("/users/{ann}");
    let disabled = json!({"enabled": false});
    keycloak
        .good(&people, ("PUT", &path), Some(&disabled))
        .await;
    #[expect(
        clippy::disallowed_methods,
        reason = "how long it takes is what is measured"
    )]
    let began = std::time::Instant::now();
    eventually("her key is paused", async || {
        corp.app().trade(&key.key).await.status == 401
    })
    .await;
    let took = began.elapsed();
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!(
            "asked every 5 s: the keys of a person who was disabled were refused after {took:?}\n"
        ),
    );
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
    corp.app().trade(&key.key).await.problem("api_key_disabled");
}
