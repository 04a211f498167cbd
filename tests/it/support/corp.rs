//! A shop whose keys live at a real Keycloak, in a realm of its own that `idp setup` made.

use std::sync::Arc;
use std::time::Duration;

use kagiya::app::providers::{Makings, provider};
use kagiya::config::{self, Config};
use kagiya::domain::clock::SystemClock;
use kagiya::domain::random::SystemRandom;
use kagiya::idp::IdentityProvider;
use kagiya::idp::setup::{Ground, Step};
use kagiya::telemetry::metrics::Metrics;
use serde::Deserialize;
use serde_json::{Value, json};

use super::database::block_on;
use super::keycloak::{Keycloak, free_port};
use super::line::Line;
use super::test_app::{ISSUER, Issued, Setup, Shop, TestApp, merged};
use super::transcript::Answer;
use crate::provider::eventually;

/// The provider's name here.
pub(crate) const CORP: &str = "corp";
/// How often a key is asked for that cannot be made yet.
const ASKED_AGAIN: usize = 20;

/// A realm, and the line over which it is reached.
pub(crate) struct Realm {
    pub(crate) keycloak: Arc<Keycloak>,
    pub(crate) name: String,
    pub(crate) line: Line,
    pub(crate) section: config::IdentityProvider,
    /// Where the keys are found by which our assertions are checked.
    port: u16,
}

impl Realm {
    /// A realm that is not there yet, with further settings of the provider.
    pub(crate) fn new(keycloak: Arc<Keycloak>, further: &str) -> Self {
        let (name, port) = (keycloak.new_realm(), free_port());
        let line = Line::to(keycloak.port());
        let text = format!(
            "name = '{CORP}'\nkind = 'keycloak'\nurl = '{}'\nissuer = '{}/realms/{name}'\nrealm = '{name}'\n\
             jwks_uri = 'http://127.0.0.1:{port}/.well-known/jwks.json'\nmax_rights_age = 0\n\
             login_client_secret = 'the login secret of the tests'\nadmin_client_secret = 'the admin secret of the tests'\n",
            line.url(),
            keycloak.url(),
        );
        // What is said later is what counts.
        let mut table: toml::Table = text.parse().unwrap();
        table.extend(further.parse::<toml::Table>().unwrap());
        let section = config::IdentityProvider::deserialize(toml::Value::Table(table)).unwrap();
        Self {
            keycloak,
            name,
            line,
            section,
            port,
        }
    }

    /// One that is prepared.
    pub(crate) async fn prepared(keycloak: Arc<Keycloak>, further: &str) -> Self {
        let realm = Self::new(keycloak, further);
        realm.set_up(Vec::new()).await;
        realm
    }

    /// The adapter, without a server around it.
    pub(crate) fn provider(&self) -> Arc<dyn IdentityProvider> {
        let makings = Makings {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            metrics: Arc::new(Metrics::new()),
        };
        provider(&Config::default(), &self.section, &makings).unwrap()
    }

    /// What `idp setup` does, in a deployment with these resources.
    pub(crate) async fn set_up(&self, resources: Vec<kagiya::idp::ResourceState>) -> Vec<Step> {
        let ground = Ground {
            issuer: ISSUER.to_owned(),
            jwks_uri: String::new(),
            resources,
        };
        let (provider, administrator) = (self.provider(), self.keycloak.administrator());
        let steps = provider.set_up(&administrator, &ground);
        steps.await.unwrap()
    }

    /// An application with this provider, which is not started yet.
    pub(crate) fn setup(&self) -> Setup {
        let (keycloak, name) = (Arc::clone(&self.keycloak), self.name.clone());
        let section = self.section.clone();
        TestApp::setup()
            .config(|config| config.identity_providers.push(section))
            .at_port(self.port)
            .in_real_time()
            .counted((CORP, Arc::new(move || block_on(users_of(&keycloak, &name)))))
    }

    /// A shop whose resources are known in the realm.
    pub(crate) async fn shop(&self) -> Shop {
        let shop = Shop::on(self.setup().start().await).await;
        all_is_carried(&shop.app).await;
        shop
    }

    /// Calls the Admin API below the realm, where the answer must be a good one.
    pub(crate) async fn good(&self, call: (&str, &str), body: Option<&Value>) -> Value {
        self.keycloak.good(&self.name, call, body).await
    }

    /// Machine users in the realm.
    pub(crate) async fn users(&self) -> Vec<Value> {
        machine_users(&self.keycloak, &self.name).await
    }

    /// The one user of a key.
    pub(crate) async fn user_of(&self, key: &Issued) -> String {
        let users = self.users().await;
        let of_it = |user: &&Value| user["attributes"]["kagiya_key"][0] == key.id.as_str();
        let user = users.iter().find(of_it).expect("the key has a user");
        user["id"].as_str().unwrap().to_owned()
    }

    /// The id of the client of this client id.
    pub(crate) async fn client(&self, client_id: &str) -> String {
        let path = format!("/clients?clientId={}", coded(client_id));
        // One of a resource may still be on its way.
        for _ in 0..200 {
            let found = self.good(("GET", &path), None).await;
            if let Some(id) = found[0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no client {client_id}")
    }

    /// Changes a client.
    pub(crate) async fn change_client(&self, client_id: &str, changes: Value) {
        let id = self.client(client_id).await;
        let body = merged(json!({"clientId": client_id}), changes);
        self.good(("PUT", &format!("/clients/{id}")), Some(&body))
            .await;
    }

    /// The id of a client scope.
    pub(crate) async fn client_scope(&self, name: &str) -> String {
        let scopes = self.good(("GET", "/client-scopes"), None).await;
        let mut scopes = scopes.as_array().unwrap().iter();
        let found = scopes.find(|scope| scope["name"] == name);
        found.expect("the client scope")["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A client role as a mapping wants it.
    pub(crate) async fn role(&self, client: &str, name: &str) -> Value {
        let path = format!("/clients/{client}/roles/{}", coded(name));
        let role = self.good(("GET", &path), None).await;
        json!({"id": role["id"], "name": role["name"]})
    }

    /// Gives a user a permission, or takes it (`DELETE`), behind our back.
    pub(crate) async fn permit(&self, method: &str, key: &Issued, (resource, scope): (&str, &str)) {
        let (user, client) = (self.user_of(key).await, self.client(resource).await);
        let roles = json!([self.role(&client, scope).await]);
        let path = format!("/users/{user}/role-mappings/clients/{client}");
        self.good((method, &path), Some(&roles)).await;
    }
}

/// A shop with keys in a realm.
pub(crate) struct Corp {
    // Dropped first: it looks what is left in the realm.
    pub(crate) shop: Shop,
    pub(crate) realm: Realm,
}

impl Corp {
    /// On an empty database and in a new realm.
    pub(crate) async fn start(further: &str) -> Self {
        Self::at(Keycloak::shared(), further).await
    }

    /// The same at another Keycloak.
    pub(crate) async fn at(keycloak: Arc<Keycloak>, further: &str) -> Self {
        let realm = Realm::prepared(keycloak, further).await;
        let shop = realm.shop().await;
        Self { shop, realm }
    }

    pub(crate) fn app(&self) -> &TestApp {
        &self.shop.app
    }

    /// A key that lives there. Where the machine has other things to do, Keycloak may need longer than a call waits: then it is asked
    /// again, as any caller would.
    pub(crate) async fn key(&self, further: Value) -> Issued {
        let there = json!({"identity_provider": CORP});
        let body = self.shop.wanted(merged(there, further));
        for _ in 0..ASKED_AGAIN {
            let request = self.app().post("/v1/keys").operator().json(body.clone());
            let answer = request.send().await;
            if answer.status != 503 {
                return Issued::read(answer.expect(201));
            }
            answer.problem("identity_provider_unavailable");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("no key was made");
    }

    /// Waits until the realm knows all resources and permissions.
    pub(crate) async fn all_is_carried(&self) {
        all_is_carried(self.app()).await;
    }

    /// Trades a key for these scopes of a resource.
    pub(crate) async fn trade_for(&self, key: &Issued, resource: &str, scope: &str) -> Answer {
        let form = [("resource", resource), ("scope", scope)];
        let request = self.app().post("/v1/token").form(&form);
        request.by(&super::credentials::Key(&key.key)).send().await
    }

    /// What a key's token permits, sorted.
    pub(crate) async fn scope(&self, key: &Issued) -> String {
        sorted(&self.app().trade(&key.key).await.expect(200).text("scope"))
    }
}

/// Scopes in order.
pub(crate) fn sorted(scope: &str) -> String {
    let mut scopes: Vec<&str> = scope.split(' ').collect();
    scopes.sort_unstable();
    scopes.join(" ")
}

/// A part of a path.
pub(crate) fn coded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn all_is_carried(app: &TestApp) {
    eventually("the resources are carried", async || {
        let pending = app.get("/v1/pending-operations").operator();
        pending.send().await.expect(200)["items"] == json!([])
    })
    .await;
}

async fn machine_users(keycloak: &Keycloak, realm: &str) -> Vec<Value> {
    let call = ("GET", "/users?briefRepresentation=false&max=10000");
    let users = keycloak.good(realm, call, None).await;
    let ours = users.as_array().unwrap().iter();
    ours.filter(|user| {
        user["username"]
            .as_str()
            .is_some_and(|name| name.starts_with("k_"))
    })
    .cloned()
    .collect()
}

async fn users_of(keycloak: &Keycloak, realm: &str) -> i64 {
    let users = machine_users(keycloak, realm).await;
    i64::try_from(users.len()).unwrap()
}
