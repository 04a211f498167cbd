//! How a command reaches the management API, which is the only way that commands list or change anything.
//!
//! A server that holds the data folder is called at the address that it left there. Where none runs, the command holds the folder
//! itself and runs a node for the moment of its call: one code path, whoever serves. Either way the operator's token is made of what
//! the database and the root secret hold, so nobody needs a credential beyond them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::channel;

use super::node::{self, Node, Opening};
use super::{Failure, GlobalOptions, operator, pinned};
use crate::app::{DataFolder, FolderError, Holder, ServerAddress, root_secret};
use crate::config::{Config, DatabaseUrl};
use crate::domain::issuer::Issuer;
use crate::domain::random::SystemRandom;
use crate::domain::secret::SecretText;
use crate::store::deployment;
use crate::telemetry::logs::{self, LineFormat};

/// How long one call may take: longer than the server lets an identity provider take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a server that is starting, or for another command, and how often to look.
const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// The most that the API gives in one page.
const PAGE: u32 = 200;

/// Calls the management API with an operator's token.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    /// Whether the server runs for the moment of this command alone.
    passing: bool,
    token: SecretText,
}

/// Whether a command may be the first thing that ever happens in a data folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// It makes something, so it may.
    Allowed,
    /// There is nothing to see in a folder that is not there, which is more likely a slip.
    Refused,
}

/// What a list gave.
pub(super) struct List {
    /// The items, at most as many as were asked for.
    pub(super) items: Vec<Value>,
    /// Where more would begin; null at the end.
    pub(super) next_cursor: Value,
}

/// Runs `ask` with a client, and for its time a node where no server runs.
///
/// # Errors
/// Those of `ask`, and whatever keeps a node from starting.
pub(super) fn call<T>(
    globals: &GlobalOptions,
    first: First,
    ask: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = globals.config(Vec::new())?;
    node::block_on(async {
        if first == First::Refused {
            operator::refuse_missing_database(&config)?;
        }
        match reach(&config).await? {
            Reached::Server(server) => {
                let token = operator::token(&config, globals, None).await?;
                ask(&Client::new(&server, token)?).await
            }
            Reached::Nobody(folder) => beside_a_node(&config, globals, folder, ask).await,
        }
    })
}

enum Reached {
    Server(ServerAddress),
    /// No server; the folder is held now, except with PostgreSQL, where it guards nothing.
    Nobody(Option<DataFolder>),
}

async fn reach(config: &Config) -> Result<Reached, Failure> {
    let path = &config.database.data_dir;
    if matches!(config.database.url(), DatabaseUrl::Postgres(_)) {
        let server = DataFolder::server(path)?;
        return Ok(server.map_or(Reached::Nobody(None), Reached::Server));
    }
    let mut looks = 0;
    loop {
        match DataFolder::hold(path) {
            Ok(folder) => return Ok(Reached::Nobody(Some(folder))),
            Err(FolderError::Held { by, .. }) if looks < LOOKS => {
                match by.and_then(Holder::server) {
                    Some(server) => return Ok(Reached::Server(server)),
                    // A server that is not ready yet, or another command: neither takes long.
                    None => looks += 1,
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

async fn beside_a_node<T>(
    config: &Config,
    globals: &GlobalOptions,
    folder: Option<DataFolder>,
    ask: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut config = config.clone();
    config.listener.workers = std::num::NonZeroUsize::new(1);
    config.log.requests = false;
    // Nobody but this process calls that node.
    config.tls = Default::default();
    config.listener.metrics_listen = None;
    config.log.level =
        tracing_subscriber::filter::Targets::new().with_default(tracing::Level::WARN);
    logs::install(&config.log);
    let root = match &folder {
        Some(folder) => folder.root_secret(&config, &SystemRandom)?,
        None => root_secret::read(&config)?.ok_or(FolderError::RootSecretNotGiven)?,
    };
    let issuer = match &config.listener.issuer {
        Some(issuer) => Some(issuer.clone()),
        None => recorded_issuer(&config).await?,
    };
    // With a port of its own choice, the server that comes later has the address that the configuration says.
    let issuer = issuer.or_else(|| format!("http://{}", config.listener.listen).parse().ok());
    let opening = Opening {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        issuer,
        root,
        log: Box::new(std::io::sink()),
        log_format: LineFormat::Json,
    };
    let node = Node::start(&config, opening).await?;
    let token = operator::token(&config, globals, None).await?;
    let client = Client {
        passing: true,
        ..Client::new(&node.reached_at(), token)?
    };
    let (word, stop) = channel(1);
    let asking = async {
        let answer = ask(&client).await;
        // Where the node has ended by itself there is nobody to tell.
        let _ = word.send(()).await;
        answer
    };
    let (served, answer) = tokio::join!(node.serve_at_once(stop), asking);
    drop(folder);
    let answer = answer?;
    served?;
    Ok(answer)
}

/// The issuer that a database was made for, so that a command without one does not come as another.
async fn recorded_issuer(config: &Config) -> Result<Option<Issuer>, Failure> {
    if !operator::database_is_there(config) {
        return Ok(None);
    }
    let store = crate::app::open_store(config)?;
    let found = if store.pending_migrations()?.is_empty() {
        store.read(deployment::find).await?
    } else {
        None
    };
    store.close().await;
    Ok(found.and_then(|found| found.issuer.parse().ok()))
}

impl Client {
    /// Calls this server with `token`; by TLS only if it shows the certificate that it left in the data folder.
    ///
    /// # Errors
    /// When no client can be made.
    #[expect(
        clippy::disallowed_methods,
        reason = "calls our own server alone, at the address that it left in the data folder"
    )]
    pub(super) fn new(server: &ServerAddress, token: SecretText) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder();
        let mut scheme = "http";
        if let Some(fingerprint) = &server.certificate {
            scheme = "https";
            builder = builder.tls_backend_preconfigured(pinned::client_config(fingerprint)?);
        }
        let http = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            // A connection kept open would keep the node waiting that runs for this call.
            .pool_max_idle_per_host(0)
            .build()?;
        let base = format!("{scheme}://{}", reachable(server.address));
        Ok(Self {
            http,
            base,
            passing: false,
            token,
        })
    }

    /// Where a browser on this machine reaches the server; none where it runs for the moment of this command alone.
    pub(super) fn loopback_base(&self) -> Option<String> {
        (!self.passing).then(|| self.base.clone())
    }

    /// One thing.
    ///
    /// # Errors
    /// The problem that the server answers, or none is reached.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Makes or changes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Puts something in its place.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn put(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.send(self.request(Method::PATCH, path).json(body))
            .await
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path))
            .await
            .map(drop)
    }

    /// Up to `limit` items of a list, page by page; `seen` hears how many there are so far.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn list(
        &self,
        path: &str,
        filters: &[(&str, String)],
        limit: u32,
        mut seen: impl FnMut(usize),
    ) -> Result<List, Failure> {
        let mut list = List {
            items: Vec::new(),
            next_cursor: Value::Null,
        };
        loop {
            let missing = limit.saturating_sub(u32::try_from(list.items.len()).unwrap_or(u32::MAX));
            if missing == 0 {
                return Ok(list);
            }
            let mut query: Vec<(&str, String)> = filters.to_vec();
            query.push(("limit", missing.min(PAGE).to_string()));
            if let Some(cursor) = list.next_cursor.as_str() {
                query.push(("cursor", cursor.to_owned()));
            }
            let mut page = self
                .send(self.request(Method::GET, path).query(&query))
                .await?;
            if let Some(items) = page["items"].as_array_mut() {
                list.items.append(items);
            }
            list.next_cursor = page["next_cursor"].take();
            seen(list.items.len());
            if list.next_cursor.is_null() {
                return Ok(list);
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.token.expose())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if status == reqwest::StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        match value {
            Some(value) if status.is_success() => Ok(value),
            Some(problem) if problem["code"].is_string() => Err(self.refused(&problem)),
            _ => Err(Failure::Refused {
                code: "unexpected_answer".to_owned(),
                detail: format!(
                    "{} answers {status} and says nothing that kagiya says",
                    self.base
                ),
            }),
        }
    }

    fn refused(&self, problem: &Value) -> Failure {
        let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
        let (code, mut detail) = (text("code"), text("detail"));
        if code == "invalid_token" {
            let here = format!(
                "the server at {} does not take this command's token: give the command the database and the root secret of the server",
                self.base
            );
            detail = here;
        }
        Failure::Refused { code, detail }
    }
}

/// Where a server that listens at `address` is reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The members of a request body that were given.
pub(super) fn body(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
