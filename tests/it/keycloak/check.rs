//! `kagiya idp check` names each thing that is missing or wrong.

use rstest::rstest;
use serde_json::json;

use crate::support::corp::{Corp, Realm, coded};
use crate::support::keycloak::Keycloak;
use crate::support::test_app::{CART, PAYMENT, TestApp};

/// What is found wrong: the names of the checks and what is said of them.
async fn wrong(app: &TestApp) -> Vec<(String, String)> {
    let answer = app.post("/v1/identity-providers/corp/check").operator();
    let answer = answer.send().await.expect(200);
    let items = answer["items"].as_array().unwrap().iter();
    let wrong = items.filter(|item| item["ok"] == false).map(|item| {
        assert!(
            item["remedy"]
                .as_str()
                .is_some_and(|remedy| !remedy.is_empty()),
            "{item}"
        );
        let text = |member: &str| item[member].as_str().unwrap().to_owned();
        (text("check"), text("detail"))
    });
    wrong.collect()
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn where_nothing_is_missing_nothing_is_said() {
    let people = Keycloak::shared().people().await;
    let people = format!("people_realm = '{people}'");
    for settings in ["", "sign_in = 'password'", &people] {
        let corp = Corp::start(settings).await;
        corp.key(json!({"default_resource": PAYMENT, "permissions": [
            {"resource": PAYMENT, "scopes": ["read:payment"]}, {"resource": CART, "scopes": ["read:cart"]},
        ]}))
        .await;
        assert_eq!(wrong(corp.app()).await, [], "{settings}");
    }
}

/// What is taken away or changed in a realm that was prepared.
async fn spoil(realm: &Realm, omission: &str) {
    let id_of_scope = async |name: &str| realm.client_scope(name).await;
    match omission {
        "administration_roles" => {
            let (admin, management) = (
                realm.client("kagiya-admin").await,
                realm.client("realm-management").await,
            );
            let account = format!("/clients/{admin}/service-account-user");
            let account = realm.good(("GET", &account), None).await;
            let account = account["id"].as_str().unwrap();
            let role = json!([realm.role(&management, "manage-clients").await]);
            let path = format!("/users/{account}/role-mappings/clients/{management}");
            realm.good(("DELETE", &path), Some(&role)).await;
        }
        "user_profile: dropped" => {
            let mut profile = realm.good(("GET", "/users/profile"), None).await;
            profile
                .as_object_mut()
                .unwrap()
                .remove("unmanagedAttributePolicy");
            realm.good(("PUT", "/users/profile"), Some(&profile)).await;
        }
        "user_profile: required" => {
            let mut profile = realm.good(("GET", "/users/profile"), None).await;
            profile["attributes"][1]["required"] = json!({"roles": ["user"]});
            realm.good(("PUT", "/users/profile"), Some(&profile)).await;
        }
        "brute_force" => {
            let body = json!({"bruteForceProtected": true});
            realm.good(("PUT", ""), Some(&body)).await;
        }
        "login_client: gone" => {
            let id = realm.client("kagiya-login").await;
            realm
                .good(("DELETE", &format!("/clients/{id}")), None)
                .await;
        }
        "login_client: full scope" => {
            let body = json!({"fullScopeAllowed": true});
            realm.change_client("kagiya-login", body).await;
        }
        "login_client: grant" => {
            let body = json!({"attributes": {"oauth2.jwt.authorization.grant.enabled": "false"}});
            realm.change_client("kagiya-login", body).await;
        }
        "login_client: secret" => {
            realm
                .change_client("kagiya-login", json!({"secret": "another"}))
                .await;
        }
        "rights_client: roles" => {
            let id = realm.client("kagiya-rights").await;
            let scope = id_of_scope("roles").await;
            let path = format!("/clients/{id}/default-client-scopes/{scope}");
            realm.good(("DELETE", &path), None).await;
        }
        "rights_client: scope" => {
            let body = json!({"fullScopeAllowed": false});
            realm.change_client("kagiya-rights", body).await;
        }
        "claims" => {
            let id = realm.client("kagiya-login").await;
            let path = format!("/clients/{id}/protocol-mappers/models");
            let mappers = realm.good(("GET", &path), None).await;
            let mapper = mappers
                .as_array()
                .unwrap()
                .iter()
                .find(|mapper| mapper["name"] == "org_id");
            let path = format!("{path}/{}", mapper.unwrap()["id"].as_str().unwrap());
            realm.good(("DELETE", &path), None).await;
        }
        "issuer_registration: gone" => {
            realm
                .good(("DELETE", "/identity-provider/instances/kagiya"), None)
                .await;
        }
        "issuer_registration: another" => {
            let path = "/identity-provider/instances/kagiya";
            let mut registered = realm.good(("GET", path), None).await;
            registered["config"]["jwksUrl"] = json!("https://elsewhere.example.com/keys");
            realm.good(("PUT", path), Some(&registered)).await;
        }
        "resources: client" => {
            let id = realm.client(PAYMENT).await;
            realm
                .good(("DELETE", &format!("/clients/{id}")), None)
                .await;
        }
        "resources: role" => {
            let id = realm.client(PAYMENT).await;
            let path = format!("/clients/{id}/roles/{}", coded("read:payment"));
            realm.good(("DELETE", &path), None).await;
        }
        "resources: scope" => {
            let id = realm.client("kagiya-login").await;
            let scope = id_of_scope("read:payment").await;
            let path = format!("/clients/{id}/optional-client-scopes/{scope}");
            realm.good(("DELETE", &path), None).await;
        }
        "resources: resource scope" => {
            let id = realm.client("kagiya-login").await;
            let scope = id_of_scope(&format!("kagiya:{PAYMENT}")).await;
            let path = format!("/clients/{id}/optional-client-scopes/{scope}");
            realm.good(("DELETE", &path), None).await;
        }
        "resources: mapping" => {
            let scope = id_of_scope("read:payment").await;
            let client = realm.client(PAYMENT).await;
            let roles = json!([realm.role(&client, "read:payment").await]);
            let path = format!("/client-scopes/{scope}/scope-mappings/clients/{client}");
            realm.good(("DELETE", &path), Some(&roles)).await;
        }
        "token_lifetime" => {
            let body = json!({"accessTokenLifespan": 7200});
            realm.good(("PUT", ""), Some(&body)).await;
        }
        "sign_in" => {
            let body = json!({"enabled": false});
            realm.good(("PUT", ""), Some(&body)).await;
        }
        other => panic!("{other}"),
    }
}

#[rstest]
#[case("administration_roles", "manage-clients")]
#[case("user_profile: dropped", "attributes")]
#[case("user_profile: required", "attributes")]
#[case("brute_force", "bruteForceProtected")]
#[case("login_client: gone", "no client kagiya-login")]
#[case("login_client: full scope", "not set as it must be")]
#[case("login_client: grant", "not set as it must be")]
#[case("login_client: secret", "secret")]
#[case("rights_client: roles", "roles")]
#[case("rights_client: scope", "not set as it must be")]
#[case("claims", "org_id")]
#[case("issuer_registration: gone", "no identity provider kagiya")]
#[case("issuer_registration: another", "jwks.json")]
#[case("resources: client", PAYMENT)]
#[case("resources: role", "lacks the role read:payment")]
#[case("resources: scope", "read:payment")]
#[case("resources: resource scope", PAYMENT)]
#[case("resources: mapping", "does not ask for the role")]
#[case("token_lifetime", "7200")]
#[case("sign_in", "Realm not enabled")]
#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn each_omission_is_named(#[case] omission: &str, #[case] said: &str) {
    let corp = Corp::start("answer = 'passthrough'").await;
    // Made only when both resources are carried.
    let key = corp.key(json!({"default_resource": PAYMENT, "permissions": [
        {"resource": PAYMENT, "scopes": ["read:payment"]}, {"resource": CART, "scopes": ["read:cart"]},
    ]}));
    let key = key.await;
    corp.app()
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    spoil(&corp.realm, omission).await;
    let found = wrong(corp.app()).await;
    let check = omission.split(':').next().unwrap();
    let named = found
        .iter()
        .any(|(name, detail)| name == check && detail.contains(said));
    assert!(named, "{omission}: {found:?}");
    if !omission.starts_with("login_client") && omission != "sign_in" {
        let others: Vec<_> = found.iter().filter(|(name, _)| name != check).collect();
        assert!(others.is_empty(), "{omission}: {others:?}");
    }
    if check == "sign_in" {
        corp.realm
            .good(("PUT", ""), Some(&json!({"enabled": true})))
            .await;
    }
}

#[rstest]
#[case("reachable", "realm = 'no-such-realm'", "cannot be read")]
#[case(
    "issuer",
    "issuer = 'https://another.example.com'",
    "https://another.example.com"
)]
#[case(
    "administration",
    "admin_client_secret = 'another'",
    "unauthorized_client"
)]
#[case("sign_in", "login_client_secret = 'another'", "unauthorized_client")]
#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_wrong_setting_of_ours_is_named(
    #[case] check: &str,
    #[case] setting: &str,
    #[case] said: &str,
) {
    let realm = Realm::prepared(Keycloak::shared(), "").await;
    let mut section = realm.section.clone();
    let table: toml::Table = setting.parse().unwrap();
    let value = |name: &str| {
        table
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let secret = kagiya::domain::secret::SecretText::new;
    section.realm = value("realm").or(section.realm);
    if let Some(issuer) = value("issuer") {
        section.issuer = Some(issuer.try_into().unwrap());
    }
    section.admin_client_secret = value("admin_client_secret")
        .map(secret)
        .or(section.admin_client_secret);
    section.login_client_secret = value("login_client_secret")
        .map(secret)
        .or(section.login_client_secret);
    let setup = TestApp::setup().config(|config| config.identity_providers.push(section));
    let app = setup.in_real_time().start().await;
    let found = wrong(&app).await;
    let named = found
        .iter()
        .any(|(name, detail)| name == check && detail.contains(said));
    assert!(named, "{setting}: {found:?}");
}
