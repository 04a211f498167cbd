//! `kagiya idp setup` makes all that it takes, and run again it writes nothing.

use std::process::Output;
use std::sync::Arc;

use kagiya::idp::ResourceState;
use kagiya::idp::setup::How;
use serde_json::{Value, json};

use crate::provider::eventually;
use crate::support::corp::{CORP, Realm};
use crate::support::keycloak::{Keycloak, free_port};
use crate::support::line::Line;
use crate::support::process::Place;
use crate::support::test_app::{CART, PAYMENT};

fn resources() -> Vec<ResourceState> {
    let resource = |identifier: &str, scopes: &[&str]| ResourceState {
        identifier: identifier.parse().unwrap(),
        name: Some("An API".to_owned()),
        token_lifetime: 300,
        permissions: scopes
            .iter()
            .map(|scope| (scope.parse().unwrap(), Some(format!("May {scope}"))))
            .collect(),
    };
    vec![
        resource(CART, &["read", "read:cart"]),
        resource(PAYMENT, &["read", "email", "write:payment"]),
    ]
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_second_run_writes_nothing() {
    let people = Keycloak::shared().people().await;
    let people = format!("people_realm = '{people}'");
    for settings in ["", "sign_in = 'password'", &people] {
        let realm = Realm::new(Keycloak::shared(), settings);
        let steps = realm.set_up(resources()).await;
        assert!(steps.iter().any(|step| step.how == How::Made), "{steps:?}");
        assert!(realm.line.take_seen().iter().any(|seen| seen.is_write()));

        let steps = realm.set_up(resources()).await;
        let changed: Vec<_> = steps
            .iter()
            .filter(|step| step.how != How::Unchanged)
            .collect();
        assert!(changed.is_empty(), "{settings}: {changed:?}");
        let seen = realm.line.take_seen();
        let writes: Vec<_> = seen.iter().filter(|seen| seen.is_write()).collect();
        assert!(writes.is_empty(), "{settings}: {writes:?}");
        assert!(seen.len() > 10, "it was looked at");
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_was_changed_by_hand_is_put_right_and_nothing_else_is_touched() {
    let realm = Realm::prepared(Keycloak::shared(), "").await;
    realm
        .change_client(
            "kagiya-login",
            json!({"fullScopeAllowed": true, "description": "ours to write"}),
        )
        .await;
    let own = json!({"clientId": "another", "enabled": true});
    realm.good(("POST", "/clients"), Some(&own)).await;
    let steps = realm.set_up(Vec::new()).await;
    let changed: Vec<&str> = steps
        .iter()
        .filter(|step| step.how != How::Unchanged)
        .map(|step| step.what.as_str())
        .collect();
    assert_eq!(changed, ["client kagiya-login"]);
    let login = realm.client("kagiya-login").await;
    let login = realm
        .good(("GET", &format!("/clients/{login}")), None)
        .await;
    assert_eq!(login["fullScopeAllowed"], false);
    assert_eq!(login["description"], "ours to write");
    realm.client("another").await;
}

/// The command line beside a running server, or without one.
struct Shell {
    place: Place,
    keycloak: Arc<Keycloak>,
    line: Line,
    port: u16,
}

impl Shell {
    fn new() -> Self {
        let keycloak = Keycloak::shared();
        let (line, port) = (Line::to(keycloak.port()), free_port());
        let realm = keycloak.new_realm();
        let place = Place::on_sqlite();
        place.configure(&format!(
            "[[identity_providers]]\nname = '{CORP}'\nkind = 'keycloak'\ndefault = true\nurl = '{}'\n\
             issuer = '{}/realms/{realm}'\nrealm = '{realm}'\n",
            line.url(),
            keycloak.url(),
        ));
        Self {
            place,
            keycloak,
            line,
            port,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.place.command();
        command
            .env("KAGIYA_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("KAGIYA_ISSUER", format!("http://127.0.0.1:{}", self.port))
            .envs(self.keycloak.variables())
            .args(arguments);
        command.output().unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn the_commands_prepare_check_and_compare_a_provider() {
    let shell = Shell::new();
    // Before the first start of the server, and again.
    let made = shell.json(&["idp", "setup", CORP]);
    assert!(made["changed"].as_u64() > Some(5), "{made}");
    shell.line.take_seen();
    let again = shell.json(&["idp", "setup", CORP]);
    assert_eq!(again["changed"], 0, "{again}");
    assert!(!shell.line.take_seen().iter().any(|seen| seen.is_write()));
    let told = shell.run(&["idp", "setup", CORP]);
    assert!(
        String::from_utf8_lossy(&told.stdout)
            .contains("corp is as it must be: nothing was changed")
    );

    // Beside a server, whose address is the issuer's.
    let mut server = shell.place.spawn_at(shell.port);
    server.address().await;
    let checked = shell.json(&["idp", "check", CORP]);
    assert_eq!(checked["ok"], true, "{checked}");
    shell.json(&["organizations", "create", "Acme", "--slug", "acme"]);
    shell.json(&[
        "resources",
        "create",
        PAYMENT,
        "--permission",
        "write:payment",
    ]);
    eventually("the resource is carried", async || {
        shell.json(&["idp", "pending"])["items"] == json!([])
    })
    .await;
    let checked = shell.json(&["idp", "check", CORP]);
    assert_eq!(checked["ok"], true, "{checked}");
    let key = shell.json(&[
        "keys",
        "create",
        "--name",
        "checkout",
        "--organization",
        "acme",
        "--permission",
        PAYMENT,
        "write:payment",
    ]);
    assert_eq!(key["identity"]["provider"], CORP);
    let compared = shell.json(&["idp", "reconcile", CORP, "--dry-run"]);
    assert_eq!(compared["items"][0]["users"], 1);
    assert_eq!(compared["items"][0]["compared"], 1);
    assert_eq!(compared["items"][0]["differences"], json!([]));
    let imported = shell.json(&["idp", "import-resources", CORP]);
    assert_eq!(imported["items"][0]["identifier"], PAYMENT);
    assert_eq!(imported["items"][0]["made"], false);
    for arguments in [
        ["idp", "check", CORP].as_slice(),
        &["idp", "reconcile"],
        &["idp", "pending", "--retry"],
        &["idp", "import-resources", CORP, "--dry-run"],
    ] {
        let output = shell.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
    }
    let wrong = shell.run(&["idp", "setup", "nobody"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no identity provider nobody"));
}
