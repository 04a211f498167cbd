//! The server: the routing table, the order of the layers, the port, and how it stops.
//!
//! [`routes`] is the whole surface for programs, top to bottom, grouped by who calls it, and [`dashboard::pages`] that for people:
//! what is in neither is 404, and what has another method is 405. A row says who may call ([`Access`](crate::http::access::Access)), and the check is put in front of the handler from
//! it. Tests hold the table against the OpenAPI document and the list of public routes.

use std::sync::Arc;

use actix_web::App;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::{self, ServiceConfig};

use crate::app::Observer;
use crate::dashboard::{self, Dashboard};
use crate::http::access::Access::{AnyCaller, Client, Gateway, Key, Management, Public};
use crate::http::access::ManagementAuthenticator;
use crate::http::address::TrustedProxies;
use crate::http::api::{
    application_roles, application_secrets, applications, audit_events, bulk_revoke,
    exchange_rules, explain, identity_providers, key, keys, me, members, organizations,
    pending_operations, permissions, resources, roles, secrets, sign_in, signing_keys, usage,
    users,
};
use crate::http::error_pages::ErrorPages;
use crate::http::forward_auth::{self, ForwardAuth, Requirements};
use crate::http::gate::Gate;
use crate::http::health::{self, Metrics, Readiness, Stopping};
use crate::http::middleware::{Around, Surroundings};
use crate::http::oauth::{introspect, metadata, revoke, token};
use crate::http::openapi::{self, Rendered};
use crate::http::routing::{self, Endpoint, any, delete, get, patch, post, put};
use crate::http::{exchange, own_key};
use crate::http::{jwks, revocations};

mod run;

pub use self::run::{Server, Settings, termination};

use self::run::Surface;

/// Every route. Paths are tried in this order, so the busiest stand first.
pub fn routes() -> Vec<Endpoint> {
    vec![
        // Integrators with a key in hand: the hot path.
        post("/v1/token", Key, exchange::trade),
        get("/v1/key", Key, own_key::show),
        post("/v1/key/rotate", Key, own_key::rotate),
        post("/v1/key/revoke", Key, own_key::revoke),
        post("/v1/keys/revoke-leaked", Public, own_key::revoke_leaked),
        // Gateways.
        any("/forward-auth", Gateway, forward_auth::forward_auth),
        any(
            "/forward-auth/{path}",
            Gateway,
            forward_auth::forward_auth_below,
        ),
        // Clients of the authorization server.
        post("/oauth/token", Client, token::token),
        post("/oauth/introspect", Client, introspect::introspect),
        post("/oauth/revoke", Client, revoke::revoke),
        // Whoever verifies tokens.
        get(
            "/.well-known/oauth-authorization-server",
            Public,
            metadata::metadata,
        ),
        get(
            "/.well-known/oauth-authorization-server/{issuer_path}",
            Public,
            metadata::metadata_of_path,
        ),
        get(
            "/.well-known/openid-configuration",
            Public,
            metadata::openid_configuration,
        ),
        get(
            "/.well-known/openid-configuration/{issuer_path}",
            Public,
            metadata::openid_configuration_of_path,
        ),
        get("/.well-known/jwks.json", Public, jwks::jwks),
        get("/.well-known/revocations", Public, revocations::revocations),
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
        put(
            "/v1/users/{id}/operator",
            Management("users:write"),
            sign_in::set_operator,
        ),
        post(
            "/v1/sign-in-links",
            Management("users:write"),
            sign_in::create_sign_in_link,
        ),
        get("/v1/me", AnyCaller, me::me),
        post(
            "/v1/applications",
            Management("applications:write"),
            applications::create_application,
        ),
        get(
            "/v1/applications",
            Management("applications:read"),
            applications::list_applications,
        ),
        get(
            "/v1/applications/{id}",
            Management("applications:read"),
            applications::show_application,
        ),
        patch(
            "/v1/applications/{id}",
            Management("applications:write"),
            applications::update_application,
        ),
        delete(
            "/v1/applications/{id}",
            Management("applications:write"),
            applications::delete_application,
        ),
        post(
            "/v1/applications/{id}/secrets",
            Management("applications:write"),
            application_secrets::add_secret,
        ),
        get(
            "/v1/applications/{id}/secrets",
            Management("applications:read"),
            application_secrets::list_secrets,
        ),
        get(
            "/v1/applications/{id}/secrets/{secret_id}",
            Management("applications:read"),
            application_secrets::show_secret,
        ),
        delete(
            "/v1/applications/{id}/secrets/{secret_id}",
            Management("applications:write"),
            application_secrets::remove_secret,
        ),
        get(
            "/v1/applications/{id}/roles",
            Management("applications:read"),
            application_roles::list_application_roles,
        ),
        post(
            "/v1/applications/{id}/roles",
            Management("applications:write"),
            application_roles::add_application_roles,
        ),
        put(
            "/v1/applications/{id}/roles",
            Management("applications:write"),
            application_roles::set_application_roles,
        ),
        delete(
            "/v1/applications/{id}/roles/{role_id}",
            Management("applications:write"),
            application_roles::remove_application_role,
        ),
        post(
            "/v1/exchange-rules",
            Management("issuers:write"),
            exchange_rules::create_exchange_rule,
        ),
        get(
            "/v1/exchange-rules",
            Management("issuers:read"),
            exchange_rules::list_exchange_rules,
        ),
        get(
            "/v1/exchange-rules/{id}",
            Management("issuers:read"),
            exchange_rules::show_exchange_rule,
        ),
        patch(
            "/v1/exchange-rules/{id}",
            Management("issuers:write"),
            exchange_rules::update_exchange_rule,
        ),
        delete(
            "/v1/exchange-rules/{id}",
            Management("issuers:write"),
            exchange_rules::delete_exchange_rule,
        ),
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
            "/v1/identity-providers",
            Management("resources:read"),
            identity_providers::list_identity_providers,
        ),
        get(
            "/v1/identity-providers/{name}",
            Management("resources:read"),
            identity_providers::show_identity_provider,
        ),
        post(
            "/v1/identity-providers/{name}/check",
            Management("resources:read"),
            identity_providers::check_identity_provider,
        ),
        post(
            "/v1/identity-providers/{name}/reconcile",
            Management("resources:write"),
            identity_providers::reconcile_identity_provider,
        ),
        post(
            "/v1/identity-providers/{name}/import-resources",
            Management("resources:write"),
            identity_providers::import_resources,
        ),
        get(
            "/v1/pending-operations",
            Management("resources:read"),
            pending_operations::list_pending_operations,
        ),
        post(
            "/v1/pending-operations/retry",
            Management("resources:write"),
            pending_operations::retry_pending_operations,
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
    /// The pages for people, if there are any.
    pub dashboard: Option<Arc<Dashboard>>,
    /// Adds the application data that the handlers take, on each worker.
    pub data: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
}

impl Parts {
    /// What an application serves with.
    pub fn new(app: &crate::app::App, config: &crate::config::Config) -> Self {
        let trusted_proxies = TrustedProxies {
            networks: config.listener.trusted_proxies.clone(),
            ..Default::default()
        };
        let broker = Arc::clone(app.broker());
        let pages = app.dashboard().enabled;
        let mut patterns: Vec<&'static str> =
            routes().iter().map(|endpoint| endpoint.path).collect();
        if pages {
            patterns.extend(dashboard::pages().iter().map(|page| page.path));
        }
        let dashboard = Arc::new(Dashboard::new(app.dashboard(), broker.issuer()));
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
        let forward_auth = web::Data::new(ForwardAuth {
            requirements: Requirements {
                gateway: config.forward_auth.proxy,
                trusted: trusted_proxies.clone(),
                table: config.routes.table.clone(),
            },
            application: config.forward_auth.application_id,
            cache_seconds: config.forward_auth.cache_seconds,
        });
        Self {
            surroundings: Surroundings {
                trusted_proxies,
                tls: false,
                random: Arc::clone(broker.random()),
                observer: Arc::new(observer),
                gate: Some(Gate {
                    broker: Arc::clone(&broker),
                    log: app.log().clone(),
                }),
                pages: pages.then(|| Arc::clone(&dashboard) as Arc<dyn ErrorPages>),
            },
            dashboard: pages.then_some(dashboard),
            authenticator: broker,
            readiness: Arc::clone(app.readiness()) as Arc<dyn Readiness>,
            metrics: Arc::new(Metrics(Box::new(figures))),
            data: Arc::new(move |config| {
                config.app_data(web::Data::from(Arc::clone(&data)));
                config.app_data(web::Data::new(log.clone()));
                config.app_data(forward_auth.clone());
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
    if parts.dashboard.is_some() {
        table.extend(dashboard::pages());
    }
    table.retain(|row| surface.answers(row.path));
    App::new()
        .app_data(web::Data::from(Arc::clone(&parts.authenticator)))
        .app_data(web::Data::from(Arc::clone(&parts.readiness)))
        .app_data(web::Data::from(Arc::clone(&parts.metrics)))
        .app_data(web::Data::from(Arc::clone(rendered)))
        .app_data(web::Data::new(stopping.clone()))
        .configure(|config| (parts.data)(config))
        .configure(|config| {
            if let Some(dashboard) = &parts.dashboard {
                config.app_data(web::Data::from(Arc::clone(dashboard)));
            }
        })
        .configure(|config| routing::register(table, config))
        .wrap(Around::new(parts.surroundings.clone()))
}

#[cfg(test)]
mod tests;
