//! The server: the routing table, the order of the layers, the port, and how it stops.
//!
//! [`routes`] is the whole surface, top to bottom, grouped by who calls it: what is not in it is 404, and what has another method
//! is 405. A row says who may call ([`Access`](crate::http::access::Access)), and the check is put in front of the handler from
//! it. Tests hold the table against the OpenAPI document and the list of public routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::app::Observer;
use crate::http::access::Access::{AnyCaller, Key, Management, Public};
use crate::http::access::ManagementAuthenticator;
use crate::http::address::TrustedProxies;
use crate::http::api::{
    audit_events, bulk_revoke, explain, key, keys, me, members, organizations, permissions,
    resources, roles, secrets, signing_keys, usage, users,
};
use crate::http::gate::Gate;
use crate::http::health::{self, Metrics, Readiness, Stopping};
use crate::http::jwks;
use crate::http::middleware::{Around, Surroundings};
use crate::http::openapi::{self, Rendered};
use crate::http::routing::{self, Endpoint, delete, get, patch, post, put};
use crate::http::{exchange, own_key};

/// Every route. Paths are tried in this order, so the busiest stand first.
pub fn routes() -> Vec<Endpoint> {
    vec![
        // Integrators with a key in hand: the hot path.
        post("/v1/token", Key, exchange::trade),
        get("/v1/key", Key, own_key::show),
        post("/v1/key/revoke", Key, own_key::revoke),
        post("/v1/keys/revoke-leaked", Public, own_key::revoke_leaked),
        // Whoever verifies tokens.
        get("/.well-known/jwks.json", Public, jwks::jwks),
        // Admins, dashboards and programs: managing.
        post("/v1/keys", Management("keys:write"), keys::create_key),
        get("/v1/keys", Management("keys:read"), keys::list_keys),
        post(
            "/v1/keys/revoke",
            Management("keys:write"),
            bulk_revoke::revoke_keys,
        ),
        get("/v1/keys/{id}", Management("keys:read"), key::show_key),
        patch("/v1/keys/{id}", Management("keys:write"), key::update_key),
        put(
            "/v1/keys/{id}/permissions",
            Management("keys:write"),
            key::set_key_permissions,
        ),
        post(
            "/v1/keys/{id}/rotate",
            Management("keys:write"),
            key::rotate_key,
        ),
        post(
            "/v1/keys/{id}/explain",
            Management("keys:read"),
            explain::explain_key,
        ),
        get(
            "/v1/keys/{id}/usage",
            Management("keys:read"),
            usage::show_usage,
        ),
        delete("/v1/keys/{id}", Management("keys:write"), key::revoke_key),
        post(
            "/v1/organizations",
            Management("organizations:write"),
            organizations::create_organization,
        ),
        get(
            "/v1/organizations",
            Management("organizations:read"),
            organizations::list_organizations,
        ),
        get(
            "/v1/organizations/{id}",
            Management("organizations:read"),
            organizations::show_organization,
        ),
        patch(
            "/v1/organizations/{id}",
            Management("organizations:write"),
            organizations::update_organization,
        ),
        delete(
            "/v1/organizations/{id}",
            Management("organizations:write"),
            organizations::delete_organization,
        ),
        put(
            "/v1/organizations/{id}/permissions",
            Management("organizations:write"),
            organizations::set_organization_permissions,
        ),
        get(
            "/v1/organizations/{id}/members",
            Management("organizations:read"),
            members::list_members,
        ),
        get(
            "/v1/organizations/{id}/members/{user_id}",
            Management("organizations:read"),
            members::show_member,
        ),
        put(
            "/v1/organizations/{id}/members/{user_id}",
            Management("organizations:write"),
            members::put_member,
        ),
        delete(
            "/v1/organizations/{id}/members/{user_id}",
            Management("organizations:write"),
            members::remove_member,
        ),
        post("/v1/users", Management("users:write"), users::create_user),
        get("/v1/users", Management("users:read"), users::list_users),
        get("/v1/users/{id}", Management("users:read"), users::show_user),
        patch(
            "/v1/users/{id}",
            Management("users:write"),
            users::update_user,
        ),
        delete(
            "/v1/users/{id}",
            Management("users:write"),
            users::delete_user,
        ),
        get("/v1/me", AnyCaller, me::me),
        post("/v1/roles", Management("roles:write"), roles::create_role),
        get("/v1/roles", Management("roles:read"), roles::list_roles),
        get("/v1/roles/{id}", Management("roles:read"), roles::show_role),
        patch(
            "/v1/roles/{id}",
            Management("roles:write"),
            roles::update_role,
        ),
        delete(
            "/v1/roles/{id}",
            Management("roles:write"),
            roles::delete_role,
        ),
        post(
            "/v1/resources",
            Management("resources:write"),
            resources::create_resource,
        ),
        get(
            "/v1/resources",
            Management("resources:read"),
            resources::list_resources,
        ),
        get(
            "/v1/resources/{id}",
            Management("resources:read"),
            resources::show_resource,
        ),
        patch(
            "/v1/resources/{id}",
            Management("resources:write"),
            resources::update_resource,
        ),
        delete(
            "/v1/resources/{id}",
            Management("resources:write"),
            resources::delete_resource,
        ),
        post(
            "/v1/resources/{id}/permissions",
            Management("resources:write"),
            permissions::create_permission,
        ),
        get(
            "/v1/resources/{id}/permissions",
            Management("resources:read"),
            permissions::list_permissions,
        ),
        get(
            "/v1/resources/{id}/permissions/{permission_id}",
            Management("resources:read"),
            permissions::show_permission,
        ),
        delete(
            "/v1/resources/{id}/permissions/{permission_id}",
            Management("resources:write"),
            permissions::delete_permission,
        ),
        get(
            "/v1/signing-keys",
            Management("signing_keys:read"),
            signing_keys::list_signing_keys,
        ),
        post(
            "/v1/signing-keys/rotate",
            Management("signing_keys:write"),
            signing_keys::rotate_signing_keys,
        ),
        get(
            "/v1/signing-keys/{kid}",
            Management("signing_keys:read"),
            signing_keys::show_signing_key,
        ),
        post(
            "/v1/signing-keys/{kid}/withdraw",
            Management("signing_keys:write"),
            signing_keys::withdraw_signing_key,
        ),
        get(
            "/v1/secrets",
            Management("signing_keys:read"),
            secrets::list_secrets,
        ),
        post(
            "/v1/secrets/root/rotate",
            Management("signing_keys:write"),
            secrets::rotate_root,
        ),
        post(
            "/v1/secrets/{purpose}/rotate",
            Management("signing_keys:write"),
            secrets::rotate_secret,
        ),
        post(
            "/v1/secrets/{purpose}/retire",
            Management("signing_keys:write"),
            secrets::retire_secret,
        ),
        get(
            "/v1/secrets/{purpose}/{generation}/keys",
            Management("signing_keys:read"),
            secrets::list_keys_on_secret,
        ),
        get(
            "/v1/audit-events",
            Management("audit:read"),
            audit_events::list_audit_events,
        ),
        // Operators.
        get("/livez", Public, health::livez),
        get("/readyz", Public, health::readyz),
        get("/metrics", Public, health::metrics),
        get("/openapi.json", Public, openapi::openapi_json),
        get("/docs", Public, openapi::docs_page),
    ]
}

/// What the routes work with, made by the composition root and shared by all workers.
#[derive(Clone)]
pub struct Parts {
    /// What the layer around every request needs.
    pub surroundings: Surroundings,
    /// Verifies bearer tokens for the management API.
    pub authenticator: Arc<dyn ManagementAuthenticator>,
    /// What `/readyz` reports.
    pub readiness: Arc<dyn Readiness>,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
    /// Adds the application data that the handlers take, on each worker.
    pub data: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
}

impl Parts {
    /// What an application serves with.
    pub fn new(app: &crate::app::App, listener: &crate::config::Listener) -> Self {
        let broker = Arc::clone(app.broker());
        let patterns: Vec<&'static str> = routes().iter().map(|endpoint| endpoint.path).collect();
        let observer = Observer::new(
            app.log().clone(),
            Arc::clone(broker.clock()),
            app.metrics(),
            &patterns,
        );
        let (metrics, measured) = (Arc::clone(app.metrics()), Arc::clone(&broker));
        let figures = move || {
            let store = measured.store();
            metrics.set_store_totals(store.reads(), store.writes(), store.commits());
            metrics.encode()
        };
        let (data, log) = (Arc::clone(&broker), app.log().clone());
        Self {
            surroundings: Surroundings {
                trusted_proxies: TrustedProxies {
                    networks: listener.trusted_proxies.clone(),
                    ..Default::default()
                },
                tls: false,
                random: Arc::clone(broker.random()),
                observer: Arc::new(observer),
                gate: Some(Gate {
                    broker: Arc::clone(&broker),
                    log: app.log().clone(),
                }),
            },
            authenticator: broker,
            readiness: Arc::clone(app.readiness()) as Arc<dyn Readiness>,
            metrics: Arc::new(Metrics(Box::new(figures))),
            data: Arc::new(move |config| {
                config.app_data(web::Data::from(Arc::clone(&data)));
                config.app_data(web::Data::new(log.clone()));
            }),
        }
    }
}

/// How the server listens and stops.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that serve requests.
    pub workers: usize,
    /// Connections that one worker holds; more wait to be accepted.
    pub max_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long `/readyz` is 503 before the server stops accepting, so that a load balancer looks away first.
    pub drain: Duration,
    /// How long the requests in hand may take after that.
    pub shutdown_timeout: Duration,
}

/// A port that is taken: its address is known before anything is served.
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the port; port 0 takes a free one. Call it within a runtime.
    ///
    /// # Errors
    /// When the address is in use, or not this machine's.
    pub fn bind(address: SocketAddr, backlog: u32) -> std::io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        // A restart must not wait for the connections of the last run to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(backlog)?.into_std()?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until there is a word in `stop` (see [`termination`]): then `/readyz` is 503 for [`Settings::drain`], no connection is accepted any more, and the
    /// requests in hand are finished. Counts and logs are to be flushed after that. A second word of `stop` ends the waiting.
    ///
    /// # Errors
    /// When the workers cannot be started.
    pub async fn run(
        self,
        settings: Settings,
        parts: Parts,
        mut stop: Receiver<()>,
    ) -> std::io::Result<()> {
        let stopping = Stopping::default();
        let rendered = Arc::new(Rendered::new(&routes()));
        let seen_by_workers = stopping.clone();
        let server = HttpServer::new(move || app(&parts, &seen_by_workers, &rendered))
            .workers(settings.workers)
            .max_connections(settings.max_connections)
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.head_timeout)
            .shutdown_timeout(settings.shutdown_timeout.as_secs())
            .tcp_nodelay(true)
            .disable_signals()
            .listen(self.listener)?
            .run();
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        tokio::select! {
            ended = &mut server => return ended,
            _ = stop.recv() => stopping.begin(),
        }
        tokio::select! {
            ended = &mut server => return ended,
            () = tokio::time::sleep(settings.drain) => {}
            _ = stop.recv() => {}
        }
        let ((), ended) = tokio::join!(handle.stop(true), server);
        ended
    }
}

/// The application of one worker: one layer around everything, then the table.
pub fn app(
    parts: &Parts,
    stopping: &Stopping,
    rendered: &Arc<Rendered>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(web::Data::from(Arc::clone(&parts.authenticator)))
        .app_data(web::Data::from(Arc::clone(&parts.readiness)))
        .app_data(web::Data::from(Arc::clone(&parts.metrics)))
        .app_data(web::Data::from(Arc::clone(rendered)))
        .app_data(web::Data::new(stopping.clone()))
        .configure(|config| (parts.data)(config))
        .configure(|config| routing::register(routes(), config))
        .wrap(Around::new(parts.surroundings.clone()))
}

/// A word for each SIGTERM and SIGINT from now on. Call it within a runtime.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn termination() -> std::io::Result<Receiver<()>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (word, words) = channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // Nobody waits any more, or the word before this one has not been read: it says the same.
            if word.try_send(()).is_err() && word.is_closed() {
                return;
            }
        }
    });
    Ok(words)
}

#[cfg(test)]
mod tests;
