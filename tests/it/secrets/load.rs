//! A real server under load, while every secret is replaced by the command line: no good key is refused, before, meanwhile or after.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::PURPOSES;
use crate::support::database::postgres_url;
use crate::support::process::{Place, Server, Wire};
use crate::support::test_app::PAYMENT;

/// Callers of a server, and the keys that they were given.
pub(super) struct Load {
    wire: Wire,
    organization: String,
    pub(super) keys: Mutex<Vec<String>>,
    enough: AtomicBool,
    calls: AtomicUsize,
}

impl Load {
    /// On a server with nothing in it.
    pub(super) async fn on(wire: Wire) -> Arc<Self> {
        let body = json!({"identifier": PAYMENT, "permissions": [{"name": "read:payment"}]});
        let resource = wire
            .manage(("POST", "/v1/resources"), None, Some(&body))
            .await;
        assert_eq!(resource.unwrap().status, 201);
        let body = json!({"name": "Acme"});
        let made = wire
            .manage(("POST", "/v1/organizations"), None, Some(&body))
            .await;
        let organization = made.unwrap().text("id");
        let load = Self::go_on(wire, organization, Vec::new());
        load.create().await;
        load
    }

    fn go_on(wire: Wire, organization: String, keys: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            wire,
            organization,
            keys: Mutex::new(keys),
            enough: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        })
    }

    /// The same callers at another server of the same database.
    pub(super) fn at(&self, wire: Wire) -> Arc<Self> {
        Self::go_on(
            wire,
            self.organization.clone(),
            self.keys.lock().unwrap().clone(),
        )
    }

    async fn create(&self) {
        let body = json!({
            "name": "load", "organization_id": self.organization,
            "permissions": [{"resource": PAYMENT, "scopes": ["read:payment"]}],
        });
        let made = self
            .wire
            .manage(("POST", "/v1/keys"), None, Some(&body))
            .await
            .unwrap();
        assert_eq!(made.status, 201, "{}", made.json);
        let key = made.text("key");
        self.trade(&key).await;
        self.keys.lock().unwrap().push(key);
    }

    async fn trade(&self, key: &str) {
        let answer = self.wire.present("/v1/token", key).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.json);
        self.calls.fetch_add(1, Ordering::SeqCst);
    }

    /// How the server is called.
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Every key that was ever given out.
    pub(super) async fn trade_all(&self) {
        let keys = self.keys.lock().unwrap().clone();
        for key in keys {
            self.trade(&key).await;
        }
    }

    /// Calls all the time until `change` has ended, and fails if one is refused.
    pub(super) async fn during<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.enough.store(false, Ordering::SeqCst);
        let callers: Vec<_> = (0..4)
            .map(|number| {
                let load = Arc::clone(self);
                tokio::spawn(async move {
                    let mut round = number;
                    while !load.enough.load(Ordering::SeqCst) {
                        if number == 0 {
                            load.create().await;
                            continue;
                        }
                        round += 7;
                        let key = {
                            let keys = load.keys.lock().unwrap();
                            keys[round % keys.len()].clone()
                        };
                        load.trade(&key).await;
                    }
                })
            })
            .collect();
        let before = self.calls.load(Ordering::SeqCst);
        while self.calls.load(Ordering::SeqCst) < before + 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let changed = tokio::task::spawn_blocking(change).await.unwrap();
        let after = self.calls.load(Ordering::SeqCst);
        while self.calls.load(Ordering::SeqCst) < after + 20 {
            assert!(
                callers.iter().all(|caller| !caller.is_finished()),
                "a call was refused"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.enough.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        changed
    }
}

/// Runs a command beside the server; what it printed, or why it was refused.
pub(super) fn kagiya(place: &Place, arguments: &[&str]) -> Result<Value, String> {
    let mut command = place.command();
    let output = command.args(arguments).arg("--json").output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The same, to be run under load; it must succeed.
pub(super) fn command(
    place: &Arc<Place>,
    arguments: &[&str],
) -> impl FnOnce() -> Value + Send + 'static {
    let place = Arc::clone(place);
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        kagiya(&place, &arguments).unwrap()
    }
}

/// A server of its own process, and how it is called.
pub(super) async fn serve(place: &Place) -> (Server<'_>, Wire) {
    let mut server = place.spawn();
    let (address, token) = (server.address().await, place.operator_token());
    (server, Wire { address, token })
}

fn is_current(place: &Place, purpose: &str) -> bool {
    let list = kagiya(place, &["secrets", "list"]).unwrap();
    let items = list["items"].as_array().unwrap();
    let newest = items.iter().find(|item| item["purpose"] == purpose);
    newest.unwrap()["state"] == "current"
}

async fn every_secret_is_replaced(place: Place) {
    let place = Arc::new(place);
    let (server, wire) = serve(&place).await;
    let load = Load::on(wire).await;
    for purpose in PURPOSES {
        let purpose = purpose.as_str();
        let rotate = command(&place, &["secrets", "rotate", purpose]);
        let looking = Arc::clone(&place);
        let rotated = load.during(move || {
            rotate();
            while !is_current(&looking, purpose) {
                std::thread::yield_now();
            }
        });
        rotated.await;
    }
    let leaked = ["secrets", "rotate", "tag", "--leaked"];
    load.during(command(&place, &leaked)).await;
    if place.is_sqlite() {
        let rotated = load.during(command(&place, &["secrets", "rotate-root"]));
        assert_eq!(rotated.await["state"], "done");
        let later = ["secrets", "rotate", "digest"];
        load.during(command(&place, &later)).await;
    }
    let keys = kagiya(&place, &["secrets", "keys", "tag", "0"]).unwrap();
    assert!(!keys["items"].as_array().unwrap().is_empty());
    load.trade_all().await;
    server.kill().await;
    let (server, wire) = serve(&place).await;
    let again = load.at(wire);
    again.trade_all().await;
    again.during(|| ()).await;
    server.kill().await;
}

#[tokio::test]
async fn every_secret_and_the_root_are_replaced_under_load_on_sqlite() {
    every_secret_is_replaced(Place::on_sqlite()).await;
}

#[tokio::test]
async fn every_secret_is_replaced_under_load_on_postgresql() {
    let Some(server) = postgres_url() else {
        return;
    };
    every_secret_is_replaced(Place::on_postgres(&server)).await;
}
