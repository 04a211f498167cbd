//! The server: the routing table, the order of the layers, the port, and how it stops.
//!
//! [`routes`] is the whole surface, top to bottom, grouped by who calls it: what is not in it is 404, and what has another method
//! is 405. A row says who may call ([`Access`](crate::http::access::Access)), and the check is put in front of the handler from
//! it. Tests hold the table against the OpenAPI document and the list of public routes.

use std::sync::Arc;

use actix_web::App;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::{self, ServiceConfig};

use crate::app::Observer;
use crate::http::access::Access::{Key, Management, Public};
use crate::http::access::ManagementAuthenticator;
use crate::http::address::TrustedProxies;
use crate::http::api::{
    audit_events, bulk_revoke, explain, key, keys, organizations, permissions, resources,
    signing_keys, usage,
};
use crate::http::gate::Gate;
use crate::http::health::{self, Metrics, Readiness, Stopping};
use crate::http::jwks;
use crate::http::middleware::{Around, Surroundings};
use crate::http::openapi::{self, Rendered};
use crate::http::routing::{self, Endpoint, delete, get, patch, post, put};
use crate::http::{exchange, own_key};

mod run;

pub use self::run::{Server, Settings, termination};

use self::run::Surface;

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

/// The application of one worker: one layer around everything, then the table.
fn app(
    parts: &Parts,
    stopping: &Stopping,
    rendered: &Arc<Rendered>,
    surface: Surface,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    let mut table = routes();
    table.retain(|row| surface.answers(row.path));
    App::new()
        .app_data(web::Data::from(Arc::clone(&parts.authenticator)))
        .app_data(web::Data::from(Arc::clone(&parts.readiness)))
        .app_data(web::Data::from(Arc::clone(&parts.metrics)))
        .app_data(web::Data::from(Arc::clone(rendered)))
        .app_data(web::Data::new(stopping.clone()))
        .configure(|config| (parts.data)(config))
        .configure(|config| routing::register(table, config))
        .wrap(Around::new(parts.surroundings.clone()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    use futures_util::future::LocalBoxFuture;
    use ipnet::IpNet;
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::domain::random::SystemRandom;
    use crate::http::access::{Caller, Presented};
    use crate::http::address::TrustedProxies;
    use crate::http::health::Check;
    use crate::http::observer::{FinishedRequest, RequestObserver};
    use crate::http::problem::Problem;

    struct Nobody;

    impl ManagementAuthenticator for Nobody {
        fn authenticate<'a>(
            &'a self,
            _: Presented<'a>,
        ) -> LocalBoxFuture<'a, Result<Caller, Problem>> {
            Box::pin(async { Err(Problem::invalid_token()) })
        }
    }

    impl Readiness for Nobody {
        fn checks(&self) -> Vec<Check> {
            Vec::new()
        }
    }

    impl RequestObserver for Nobody {
        fn finished(&self, _: &FinishedRequest<'_>) {}
    }

    fn parts() -> Parts {
        Parts {
            surroundings: Surroundings {
                trusted_proxies: TrustedProxies {
                    networks: Vec::<IpNet>::new(),
                    ..TrustedProxies::default()
                },
                tls: false,
                random: Arc::new(SystemRandom),
                observer: Arc::new(Nobody),
                gate: None,
            },
            authenticator: Arc::new(Nobody),
            readiness: Arc::new(Nobody),
            metrics: Arc::new(Metrics(Box::new(String::new))),
            data: Arc::new(|_| {}),
        }
    }

    #[test]
    fn the_public_routes_are_these() {
        let public: Vec<String> = routes()
            .iter()
            .filter(|row| row.access == Public)
            .map(|row| format!("{} {}", row.method, row.path))
            .collect();
        insta::assert_snapshot!(public.join("\n"), @r"
        POST /v1/keys/revoke-leaked
        GET /.well-known/jwks.json
        GET /livez
        GET /readyz
        GET /metrics
        GET /openapi.json
        GET /docs
        ");
    }

    #[test]
    fn the_table_and_the_openapi_document_have_the_same_routes() {
        let document = serde_json::to_value(openapi::document(&routes())).unwrap();
        let mut described: Vec<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item
                    .as_object()
                    .unwrap()
                    .keys()
                    .filter(|name| name.as_str() != "parameters");
                methods
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut table: Vec<String> = routes()
            .iter()
            .map(|row| format!("{} {}", row.method, row.path))
            .collect();
        described.sort();
        table.sort();
        assert_eq!(described, table);
    }

    #[test]
    fn every_operation_has_a_summary_a_known_tag_and_the_problem_answer() {
        let document = serde_json::to_value(openapi::document(&routes())).unwrap();
        let tags: Vec<&str> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|tag| tag["name"].as_str())
            .collect();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(
                    operation["summary"]
                        .as_str()
                        .is_some_and(|summary| !summary.is_empty()),
                    "{method} {path}"
                );
                assert!(
                    tags.contains(&operation["tags"][0].as_str().unwrap()),
                    "{method} {path}"
                );
                assert_eq!(
                    operation["responses"]["default"]["$ref"], "#/components/responses/Problem",
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn no_row_is_hidden_by_another() {
        let rows = routes();
        for (index, row) in rows.iter().enumerate() {
            let pattern = actix_web::dev::ResourceDef::new(row.path);
            for later in rows[index + 1..]
                .iter()
                .filter(|later| later.path != row.path)
            {
                assert!(
                    !pattern.is_match(later.path),
                    "{} hides {}",
                    row.path,
                    later.path
                );
            }
            assert!(
                rows[..index]
                    .iter()
                    .all(|earlier| (earlier.path, &earlier.method) != (row.path, &row.method)),
                "{}",
                row.path
            );
        }
    }

    /// One request on a connection of its own: status line and body.
    fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        write!(
            connection,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    async fn status(address: SocketAddr, path: &'static str) -> Option<String> {
        let answer = tokio::task::spawn_blocking(move || ask(address, path))
            .await
            .unwrap();
        answer
            .ok()
            .map(|answer| answer.chars().skip(9).take(3).collect())
    }

    #[tokio::test]
    async fn a_stopping_server_says_so_before_it_stops_accepting() {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let address = server.address();
        assert_ne!(address.port(), 0);
        let (word, words) = channel(1);
        let settings = Settings {
            workers: 1,
            max_connections: 100,
            keep_alive: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            // Ended by the second word below, not by the clock.
            drain: Duration::from_secs(600),
            shutdown_timeout: Duration::from_secs(5),
        };
        let run = server.run(settings, parts(), words);
        let ask = async {
            assert_eq!(status(address, "/readyz").await.as_deref(), Some("200"));
            word.send(()).await.unwrap();
            while status(address, "/readyz").await.as_deref() != Some("503") {
                tokio::task::yield_now().await;
            }
            assert_eq!(status(address, "/livez").await.as_deref(), Some("200"));
            word.send(()).await.unwrap();
        };
        let (ended, ()) = tokio::join!(run, ask);
        ended.unwrap();
        assert_eq!(status(address, "/livez").await, None);
    }
}
