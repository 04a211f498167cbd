//! An application for one test: everything that `kagiya serve` starts, on a port of its own and a database of its own, under a
//! clock that stands still.
//!
//! When a test ends well, its application must have left nothing behind: no work for an identity provider, nothing half made, no
//! user without a key, no gap in the audit trail, and no secret in the logs or in the database. A test need not ask for that.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use jiff::{SignedDuration, Timestamp};
use kagiya::app::{self, App, Surroundings, settings};
use kagiya::broker::OperatorToken;
use kagiya::broker::audit_verification::{TrailReport, verify_trail};
use kagiya::config::Config;
use kagiya::domain::audit_chain::Anchor;
use kagiya::domain::clock::{Clock, MockClock, SystemClock};
use kagiya::domain::issuer::Issuer;
use kagiya::domain::random::SystemRandom;
use kagiya::domain::sealed::RootSecret;
use kagiya::domain::secret::SecretBytes;
use kagiya::idp::IdentityProvider;
use kagiya::server::{self, Parts, Server};
use kagiya::store;
use kagiya::telemetry::logs::LineFormat;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::database::{Database, block_on};
use super::fake_provider::FakeProvider;
use super::transcript::{Answer, Request};
use super::witness::{Captured, Witness, events};

/// The issuer of every test.
pub(crate) const ISSUER: &str = "https://kagiya.test";
/// The audience of the management API.
pub(crate) const MANAGEMENT: &str = "https://kagiya.test/v1";
/// When every test begins.
pub(crate) const START: &str = "2026-11-22T12:00:00Z";
/// The payment service of the worked example.
pub(crate) const PAYMENT: &str = "https://payment.example.com/api";
/// The cart service.
pub(crate) const CART: &str = "https://cart.example.com/api";

/// The root secret of every test.
pub(crate) const ROOT_SECRET: &[u8] = b"the root secret of every test: 32 bytes and some more";

/// How an application is started.
#[derive(Default)]
pub(crate) struct Setup {
    config: Config,
    fakes: Vec<Arc<FakeProvider>>,
    issuer: Option<String>,
    elsewhere: Vec<Elsewhere>,
    port: u16,
    follows_the_time: bool,
}

/// A provider of the configuration, and how its users are counted.
pub(crate) type Elsewhere = (&'static str, Arc<dyn Fn() -> i64 + Send + Sync>);

impl Setup {
    /// As another issuer than that of every test.
    pub(crate) fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    fn its_issuer(&self) -> Issuer {
        self.issuer.as_deref().unwrap_or(ISSUER).parse().unwrap()
    }

    /// With a change of the configuration.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// With one more identity provider.
    pub(crate) fn provider(mut self, provider: &Arc<FakeProvider>) -> Self {
        self.fakes.push(Arc::clone(provider));
        self
    }

    /// With a provider of the configuration that must have as many users in the end as generations live there.
    pub(crate) fn counted(mut self, elsewhere: Elsewhere) -> Self {
        self.elsewhere.push(elsewhere);
        self
    }

    /// At this port, so that others find it.
    pub(crate) fn at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Under a clock that goes on as that of the machine does, for programs that have none of ours.
    pub(crate) fn in_real_time(mut self) -> Self {
        self.follows_the_time = true;
        self
    }

    /// With so many threads that answer requests, in place of one.
    pub(crate) fn workers(self, workers: usize) -> Self {
        self.config(|config| config.listener.workers = std::num::NonZeroUsize::new(workers))
    }

    /// Starts it on an empty database.
    pub(crate) async fn start(self) -> TestApp {
        let (clock, going) = if self.follows_the_time {
            let clock = MockClock::at(SystemClock.now());
            let going = Going::on(&clock);
            (clock, Some(going))
        } else {
            (MockClock::at(START.parse().unwrap()), None)
        };
        let world = World {
            setup: self,
            database: Database::empty(),
            clock,
            _going: going,
            log: Captured::default(),
            witness: Witness::default(),
            events_from: events().length(),
            tampered: AtomicBool::default(),
        };
        world.start().await
    }
}

/// What outlives a run of the application.
struct World {
    setup: Setup,
    database: Database,
    clock: MockClock,
    _going: Option<Going>,
    log: Captured,
    witness: Witness,
    /// Where the events of this test begin among those of the process.
    events_from: usize,
    /// Whether the test wrote to the audit trail itself.
    tampered: AtomicBool,
}

/// Lets a clock go on until it is dropped.
struct Going(Arc<AtomicBool>);

impl Going {
    fn on(clock: &MockClock) -> Self {
        let (stopped, clock) = (Arc::new(AtomicBool::new(false)), clock.clone());
        let seen = Arc::clone(&stopped);
        std::thread::spawn(move || {
            let mut last = SystemClock.now();
            while !seen.load(Ordering::SeqCst) {
                std::thread::park_timeout(Duration::from_millis(10));
                let now = SystemClock.now();
                clock.advance(now.duration_since(last));
                last = now;
            }
        });
        Self(stopped)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A running application.
pub(crate) struct TestApp {
    world: Option<World>,
    running: Option<Running>,
    address: SocketAddr,
    operator_token: Mutex<Option<(Timestamp, String)>>,
}

struct Running {
    stop: mpsc::Sender<()>,
    crash: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl TestApp {
    /// On an empty database.
    pub(crate) async fn new() -> Self {
        Self::setup().start().await
    }

    /// With something of its own.
    pub(crate) fn setup() -> Setup {
        let mut setup = Setup::default().workers(1);
        setup.config.listener.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        setup
    }

    /// Stops it as a signal does, and starts it again on the same database.
    pub(crate) async fn restart(mut self) -> Self {
        self.running.take().unwrap().stop();
        self.world.take().unwrap().start().await
    }

    /// As [`Self::restart`], with another configuration.
    pub(crate) async fn restart_configured(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.world.as_mut().unwrap().setup.config);
        self.restart().await
    }

    /// The same with one more identity provider from then on.
    pub(crate) async fn restart_with(mut self, provider: &Arc<FakeProvider>) -> Self {
        self.running.take().unwrap().stop();
        let mut world = self.world.take().unwrap();
        world.setup.fakes.push(Arc::clone(provider));
        world.start().await
    }

    /// Ends it in the middle of whatever it does, and starts it again on the same database.
    pub(crate) async fn crash(mut self) -> Self {
        self.running.take().unwrap().crash();
        self.world.take().unwrap().start().await
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The time here.
    pub(crate) fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// The clock here.
    pub(crate) fn clock(&self) -> MockClock {
        self.world().clock.clone()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.world()
            .clock
            .advance(SignedDuration::from_secs(seconds));
    }

    /// The time so many seconds from now, as the API writes it.
    pub(crate) fn time_in(&self, seconds: i64) -> String {
        (self.now() + SignedDuration::from_secs(seconds)).to_string()
    }

    /// The request log up to now.
    pub(crate) fn log(&self) -> &Captured {
        &self.world().log
    }

    /// Who remembers the secrets.
    pub(crate) fn witness(&self) -> &Witness {
        &self.world().witness
    }

    /// The database behind it.
    pub(crate) fn database(&self) -> &Database {
        &self.world().database
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// `POST path`.
    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// `PUT path`.
    pub(crate) fn put(&self, path: &str) -> Request<'_> {
        self.request("PUT", path)
    }

    /// `PATCH path`.
    pub(crate) fn patch(&self, path: &str) -> Request<'_> {
        self.request("PATCH", path)
    }

    /// `DELETE path`.
    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    /// Any method.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(self, method, path)
    }

    /// The number that this query selects as `number`.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        count(self.world(), query).await
    }

    /// Whether the audit trail is what was written, also against these anchors.
    pub(crate) async fn verify_trail(&self, anchors: &[Anchor]) -> TrailReport {
        self.world().verify_trail(anchors).await
    }

    /// Writes to the trail past the server, which is not asked to be whole at the end then.
    pub(crate) async fn tamper(&self, statement: &str) {
        self.world().tampered.store(true, Ordering::SeqCst);
        let statement = statement.to_owned();
        let store = &self.database().store;
        store
            .write(move |tx| super::database::execute(tx, &statement).map(drop))
            .await
            .unwrap();
    }

    /// All that the database holds.
    pub(crate) async fn dump(&self) -> Vec<u8> {
        self.world().dump().await
    }

    /// A counter of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let answer = self.get("/metrics").send().await.expect(200);
        let text = String::from_utf8(answer.body).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not measured:\n{text}"))
            .parse()
            .unwrap()
    }

    /// A token of the operator: one for every scope is kept as long as it is good.
    pub(crate) fn operator_token(&self, scopes: Option<&str>) -> String {
        if let Some(scopes) = scopes {
            return self.mint_operator_token(Some(scopes));
        }
        let now = self.now();
        let mut kept = self
            .operator_token
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((at, token))
                if now >= *at && now.duration_since(*at) < SignedDuration::from_mins(9) =>
            {
                token.clone()
            }
            _ => {
                let token = self.mint_operator_token(None);
                *kept = Some((now, token.clone()));
                token
            }
        }
    }

    /// From now on with another one than before, as after the key was withdrawn that signed it.
    pub(crate) fn forget_operator_token(&self) {
        *self
            .operator_token
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn mint_operator_token(&self, scopes: Option<&str>) -> String {
        let world = self.world();
        let settings = settings(&world.setup.config, world.setup.its_issuer()).unwrap();
        let token = OperatorToken {
            name: "test",
            scopes: scopes.map(|scopes| scopes.parse().unwrap()),
            now: self.now(),
        };
        let store = &world.database.store;
        let token = block_on(async {
            token
                .mint(store, &root_secret(), &settings, &SystemRandom)
                .await
        })
        .unwrap();
        world.witness.keep_token(&token);
        token
    }

    fn world(&self) -> &World {
        self.world
            .as_ref()
            .expect("it is taken only to start again")
    }
}

/// The worked example.
impl TestApp {
    /// Makes an organization; its id.
    pub(crate) async fn organization(&self, name: &str) -> String {
        let body = json!({"name": name});
        let answer = self.post("/v1/organizations").operator().json(body);
        answer.send().await.expect(201).text("id")
    }

    /// Makes a resource with these permissions; its id.
    pub(crate) async fn resource(&self, identifier: &str, scopes: &[&str]) -> String {
        self.resource_with(identifier, scopes, json!({})).await
    }

    /// The same with further members.
    pub(crate) async fn resource_with(
        &self,
        identifier: &str,
        scopes: &[&str],
        further: Value,
    ) -> String {
        let permissions: Vec<Value> = scopes.iter().map(|scope| json!({"name": scope})).collect();
        let body = merged(
            json!({"identifier": identifier, "permissions": permissions}),
            further,
        );
        let answer = self.post("/v1/resources").operator().json(body);
        answer.send().await.expect(201).text("id")
    }

    /// Issues a key to the organization, with `write:payment` and what `further` says; it is shown whole.
    pub(crate) async fn issue(&self, organization: &str, further: Value) -> Issued {
        let body = json!({
            "name": "checkout", "organization_id": organization,
            "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
        });
        let request = self.post("/v1/keys").operator().json(merged(body, further));
        Issued::read(request.send().await.expect(201))
    }

    /// Trades a key for all that it holds at its default resource.
    pub(crate) async fn trade(&self, key: &str) -> Answer {
        self.post("/v1/token")
            .by(&super::credentials::Key(key))
            .send()
            .await
    }

    /// The claims of the token that a key is traded for.
    pub(crate) async fn claims(&self, key: &str) -> Value {
        claims(&self.trade(key).await.expect(200).text("access_token"))
    }
}

/// The worked example, made: an organization, the payment API and the cart API.
pub(crate) struct Shop {
    pub(crate) app: TestApp,
    pub(crate) organization: String,
    pub(crate) payment: String,
    pub(crate) cart: String,
}

impl Shop {
    /// On an empty database.
    pub(crate) async fn new() -> Self {
        Self::on(TestApp::new().await).await
    }

    /// In this application.
    pub(crate) async fn on(app: TestApp) -> Self {
        let organization = app.organization("Acme").await;
        let payment = app
            .resource(PAYMENT, &["read:payment", "write:payment"])
            .await;
        let cart = app.resource(CART, &["read:cart"]).await;
        Self {
            app,
            organization,
            payment,
            cart,
        }
    }

    /// Issues a key with `write:payment`.
    pub(crate) async fn key(&self) -> Issued {
        self.issue(json!({})).await
    }

    /// Issues one with what `further` says.
    pub(crate) async fn issue(&self, further: Value) -> Issued {
        self.app.issue(&self.organization, further).await
    }

    /// The body of a request for a key, changed by `further`.
    pub(crate) fn wanted(&self, further: Value) -> Value {
        let body = json!({
            "name": "checkout", "organization_id": self.organization,
            "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
        });
        merged(body, further)
    }

    /// The same application, started again by `again`.
    pub(crate) async fn again<F: Future<Output = TestApp>>(
        self,
        again: impl FnOnce(TestApp) -> F,
    ) -> Self {
        Self {
            app: again(self.app).await,
            ..self
        }
    }
}

/// A key that was just issued or rotated.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) object: Value,
}

impl Issued {
    /// From the answer that shows it.
    pub(crate) fn read(answer: Answer) -> Self {
        Self {
            id: answer.text("id"),
            key: answer.text("key"),
            etag: answer.header("etag").unwrap().to_owned(),
            object: answer.json().clone(),
        }
    }

    /// The path of the key, and of what is below it.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/v1/keys/{}{below}", self.id)
    }
}

/// `base` with the members of `further` in place of its own; null takes one away.
pub(crate) fn merged(mut base: Value, further: Value) -> Value {
    let members = base.as_object_mut().expect("an object");
    for (name, value) in further.as_object().expect("an object") {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    base
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub(crate) fn jose_header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(index).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(part)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The root secret of every test.
pub(crate) fn root_secret() -> RootSecret {
    RootSecret::new(SecretBytes::new(ROOT_SECRET.to_vec())).unwrap()
}

impl World {
    async fn start(mut self) -> TestApp {
        self.setup.config.database.database_url = Some(self.database.url().parse().unwrap());
        let (stop, stopped) = mpsc::channel(1);
        let (crash, crashed) = oneshot::channel();
        let (ready, address) = oneshot::channel();
        let run = Run {
            config: self.setup.config.clone(),
            issuer: self.setup.its_issuer(),
            clock: self.clock.clone(),
            providers: self
                .setup
                .fakes
                .iter()
                .map(|fake| Arc::clone(fake) as Arc<dyn IdentityProvider>)
                .collect(),
            log: self.log.clone(),
            port: self.setup.port,
        };
        // A thread of its own, as a process would be: whatever a test does with its own runtime, the server goes on.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run.serve(stopped, crashed, ready));
        });
        let address = address.await.expect("it starts");
        TestApp {
            world: Some(self),
            running: Some(Running {
                stop,
                crash,
                thread,
            }),
            address,
            operator_token: Mutex::default(),
        }
    }
}

/// What one run is made from.
struct Run {
    config: Config,
    issuer: Issuer,
    clock: MockClock,
    providers: Vec<Arc<dyn IdentityProvider>>,
    log: Captured,
    port: u16,
}

impl Run {
    /// As `kagiya serve`, in the same order.
    async fn serve(
        self,
        stopped: mpsc::Receiver<()>,
        crashed: oneshot::Receiver<()>,
        ready: oneshot::Sender<SocketAddr>,
    ) {
        let around = Surroundings {
            clock: Arc::new(self.clock),
            random: Arc::new(SystemRandom),
            root_file: None,
            providers: self.providers,
            log: Box::new(self.log),
            log_format: LineFormat::Json,
        };
        let app = App::start(&self.config, self.issuer, root_secret(), around)
            .await
            .unwrap();
        // The RSA keys are made beside the requests; a test begins when the set is whole.
        while !app.broker().signing().is_complete() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let parts = Parts::new(&app, &self.config);
        let server = Server::bind(([127, 0, 0, 1], self.port).into(), 128).unwrap();
        ready.send(server.address()).unwrap();
        let settings = server::Settings {
            workers: app::workers(&self.config),
            max_connections: 10_000,
            keep_alive: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            drain: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(5),
        };
        tokio::select! {
            ended = server.run(settings, parts, stopped) => {
                ended.unwrap();
                app.stop().await;
            }
            // Nothing is finished and nothing is flushed: the runtime goes, and with it whatever ran.
            _ = crashed => {}
        }
    }
}

impl Running {
    fn stop(self) {
        let _ = self.stop.try_send(());
        self.thread.join().unwrap();
    }

    fn crash(self) {
        let _ = self.crash.send(());
        self.thread.join().unwrap();
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let (Some(world), Some(running)) = (self.world.take(), self.running.take()) else {
            return;
        };
        if std::thread::panicking() {
            return;
        }
        block_on(world.settle());
        running.stop();
        world.assert_trail_is_whole();
        world.assert_no_secret_is_left();
    }
}

impl World {
    /// Waits until nothing is to be done, and looks for what was left behind.
    async fn settle(&self) {
        for fake in &self.setup.fakes {
            fake.works_again();
        }
        let open = "SELECT count(*) AS number FROM idp_operations WHERE done_at IS NULL";
        for _ in 0..1000 {
            if count(self, open).await == 0 {
                break;
            }
            // Beyond every grace and every pause between two tries.
            self.clock.advance(SignedDuration::from_hours(24 * 31));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(
            count(self, open).await,
            0,
            "work for identity providers is left"
        );
        let half_made = "SELECT count(*) AS number FROM credentials WHERE state = 'pending'";
        assert_eq!(
            count(self, half_made).await,
            0,
            "a half-made generation is left"
        );
        let half_made = "SELECT count(*) AS number FROM api_keys WHERE activated_at IS NULL AND revoked_at IS NULL";
        assert_eq!(count(self, half_made).await, 0, "a half-made key is left");
        let running = "SELECT count(*) AS number FROM idempotency WHERE state = 'running'";
        assert_eq!(
            count(self, running).await,
            0,
            "an unfinished request is left"
        );
        self.assert_users(
            "builtin",
            count(self, "SELECT count(*) AS number FROM builtin_users").await,
        )
        .await;
        for fake in &self.setup.fakes {
            self.assert_users(fake.label(), i64::try_from(fake.users().len()).unwrap())
                .await;
        }
        for (name, users) in &self.setup.elsewhere {
            self.assert_users(name, users()).await;
        }
    }

    async fn assert_users(&self, provider: &str, users: i64) {
        let generations = format!(
            "SELECT count(*) AS number FROM credentials JOIN api_keys ON api_keys.id = credentials.key_id \
             WHERE api_keys.provider = '{provider}' AND state IN ('active', 'retiring')"
        );
        let generations = count(self, &generations).await;
        assert_eq!(
            users, generations,
            "users at {provider}, and generations that live"
        );
    }

    async fn verify_trail(&self, anchors: &[Anchor]) -> TrailReport {
        let store = &self.database.store;
        verify_trail(store, &root_secret(), anchors, &mut |_| {})
            .await
            .unwrap()
    }

    /// Whatever the test did, and however often its server crashed, every row of the audit trail is in its place.
    fn assert_trail_is_whole(&self) {
        if self.tampered.load(Ordering::SeqCst) {
            return;
        }
        let report = block_on(self.verify_trail(&[]));
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert!(report.rows + report.removed > 0);
    }

    fn assert_no_secret_is_left(&self) {
        self.witness
            .assert_absent(&self.log.bytes(), "the request log");
        self.witness
            .assert_absent(&events().bytes_from(self.events_from), "the events");
        self.witness
            .assert_absent(&block_on(self.dump()), "the database");
    }

    /// All that the database holds, as bytes.
    async fn dump(&self) -> Vec<u8> {
        if let Some(file) = self.database.file() {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
            return bytes;
        }
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Text)]
            line: String,
        }
        let lines = |query: String| async move {
            let lines = self.database.store.read(move |connection| {
                Ok::<Vec<Line>, store::Error>(diesel::sql_query(query).get_results(connection)?)
            });
            let lines = lines.await.unwrap();
            lines.into_iter().map(|line| line.line).collect::<Vec<_>>()
        };
        let tables =
            "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = current_schema()";
        let mut bytes = Vec::new();
        for table in lines(tables.to_owned()).await {
            for row in lines(format!("SELECT t::text AS line FROM {table} AS t")).await {
                bytes.extend_from_slice(row.as_bytes());
                bytes.push(b'\n');
            }
        }
        bytes
    }
}

async fn count(world: &World, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let query = query.to_owned();
    let row = world.database.store.read(move |connection| {
        Ok::<Row, store::Error>(diesel::sql_query(query).get_result(connection)?)
    });
    row.await.unwrap().number
}
