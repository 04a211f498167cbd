//! The OpenAPI 3.1 document, made of what stands beside the handlers, and the two ways to read it: `/openapi.json` and `/docs`.
//!
//! A handler describes its own parameters, body and answers with `#[utoipa::path]` and is listed in [`Api`]. Three things are
//! added here for all, so that no handler can forget them: the problem answer, the request id, and the credential, which is
//! taken from the routing table.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Content, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::access::Access;
use super::api::{
    application_roles, application_secrets, applications, audit_events, bulk_revoke,
    exchange_rules, explain, identity_providers, key, keys, me, members, organizations,
    pending_operations, permissions, resources, roles, secrets, sign_in, signing_keys, usage,
    users,
};
use super::oauth::error::ErrorBody;
use super::oauth::{self, introspect, metadata, revoke, token};
use super::problem::{self, FieldProblem, ProblemBody};
use super::query::NoQuery;
use super::routing::Endpoint;
use super::{docs, etag, exchange, forward_auth, health, jwks, own_key, revocations};

/// Every handler that the document describes. Add yours to `paths`, in the order of the routing table.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "kagiya",
        description = "Permanent API keys over an identity provider whose tokens expire: a key is traded for a short-lived, scoped JWT.",
    ),
    paths(
        exchange::trade,
        own_key::show,
        own_key::rotate,
        own_key::revoke,
        own_key::revoke_leaked,
        token::token,
        introspect::introspect,
        revoke::revoke,
        metadata::metadata,
        metadata::metadata_of_path,
        metadata::openid_configuration,
        metadata::openid_configuration_of_path,
        jwks::jwks,
        revocations::revocations,
        keys::create_key,
        keys::list_keys,
        bulk_revoke::revoke_keys,
        key::show_key,
        key::update_key,
        key::set_key_permissions,
        key::rotate_key,
        explain::explain_key,
        usage::show_usage,
        key::revoke_key,
        organizations::create_organization,
        organizations::list_organizations,
        organizations::show_organization,
        organizations::update_organization,
        organizations::set_organization_permissions,
        organizations::delete_organization,
        members::list_members,
        members::show_member,
        members::put_member,
        members::remove_member,
        users::create_user,
        users::list_users,
        users::show_user,
        users::update_user,
        users::delete_user,
        sign_in::set_operator,
        sign_in::create_sign_in_link,
        me::me,
        applications::create_application,
        applications::list_applications,
        applications::show_application,
        applications::update_application,
        applications::delete_application,
        application_secrets::add_secret,
        application_secrets::list_secrets,
        application_secrets::show_secret,
        application_secrets::remove_secret,
        application_roles::list_application_roles,
        application_roles::add_application_roles,
        application_roles::set_application_roles,
        application_roles::remove_application_role,
        exchange_rules::create_exchange_rule,
        exchange_rules::list_exchange_rules,
        exchange_rules::show_exchange_rule,
        exchange_rules::update_exchange_rule,
        exchange_rules::delete_exchange_rule,
        roles::create_role,
        roles::list_roles,
        roles::show_role,
        roles::update_role,
        roles::delete_role,
        resources::create_resource,
        resources::list_resources,
        resources::show_resource,
        resources::update_resource,
        resources::delete_resource,
        permissions::create_permission,
        permissions::list_permissions,
        permissions::show_permission,
        permissions::delete_permission,
        identity_providers::list_identity_providers,
        identity_providers::show_identity_provider,
        identity_providers::check_identity_provider,
        identity_providers::reconcile_identity_provider,
        identity_providers::import_resources,
        pending_operations::list_pending_operations,
        pending_operations::retry_pending_operations,
        signing_keys::list_signing_keys,
        signing_keys::rotate_signing_keys,
        signing_keys::show_signing_key,
        signing_keys::withdraw_signing_key,
        secrets::list_secrets,
        secrets::rotate_root,
        secrets::rotate_secret,
        secrets::retire_secret,
        secrets::list_keys_on_secret,
        audit_events::list_audit_events,
        health::livez,
        health::readyz,
        health::metrics,
        forward_auth::forward_auth,
        forward_auth::forward_auth_below,
        openapi_json,
        docs_page,
    ),
    components(schemas(ProblemBody<'_>, FieldProblem, ErrorBody<'_>)),
    tags(
        (name = "keys in hand", description = "For whoever holds a key: trade it, look at it, stop it."),
        (name = "gateways", description = "For reverse proxies that ask before they let a request through."),
        (name = "oauth", description = "The authorization server: for clients and libraries of OAuth 2.0."),
        (name = "tokens", description = "For services that verify tokens."),
        (name = "keys", description = "Make, change, rotate and revoke keys."),
        (name = "organizations", description = "The tenants that keys belong to, and who is in them."),
        (name = "users", description = "The people who are known here."),
        (name = "applications", description = "Machine-to-machine clients of the authorization server."),
        (name = "exchange rules", description = "Which application may trade tokens for one resource for tokens for another."),
        (name = "roles", description = "Permissions under one name, for people or for applications."),
        (name = "resources", description = "API resources (audiences) and the permissions that exist on them."),
        (name = "identity providers", description = "Where the machine users of keys live: looked over, compared with the record."),
        (name = "signing keys", description = "The keys that tokens are signed with."),
        (name = "secrets", description = "What keys and stored things are proved and sealed with; never shown."),
        (name = "audit", description = "Who did what, when and from where."),
        (name = "operations", description = "For supervisors, monitors and readers of this page."),
    ),
    modifiers(&SharedAnswers, &Credentials),
)]
pub struct Api;

/// Both renderings, made once.
pub struct Rendered {
    json: Bytes,
    json_tag: HeaderValue,
    page: Bytes,
    page_tag: HeaderValue,
    page_policy: HeaderValue,
}

impl Rendered {
    /// Renders the document of an API whose routing table has these rows.
    pub fn new(rows: &[Endpoint]) -> Self {
        let document = document(rows);
        // Plain data with text keys always has a JSON form.
        let json = serde_json::to_vec(&document).unwrap_or_default();
        let value = serde_json::from_slice(&json).unwrap_or_default();
        let page = docs::page(&value);
        Self {
            json_tag: tag(&json),
            page_tag: tag(page.as_bytes()),
            page_policy: docs::content_security_policy(),
            json: json.into(),
            page: page.into(),
        }
    }
}

/// The document of an API whose routing table has these rows.
pub fn document(rows: &[Endpoint]) -> Document {
    let mut document = Api::openapi();
    for row in rows {
        let item = document.paths.paths.get_mut(row.path);
        if let Some(operation) = item.and_then(|item| operation(item, &row.method)) {
            operation.security = match row.access {
                // Pages are for people, and not in the table that is described here.
                Access::Visitor | Access::Person => None,
                Access::Public => None,
                Access::Key | Access::Gateway => {
                    Some(vec![SecurityRequirement::new::<_, _, &str>("api_key", [])])
                }
                Access::Client => Some(vec![SecurityRequirement::new::<_, _, &str>("client", [])]),
                Access::AnyCaller => Some(vec![SecurityRequirement::new::<_, _, &str>(
                    "management",
                    [],
                )]),
                Access::Management(scope) => {
                    Some(vec![SecurityRequirement::new("management", [scope])])
                }
            };
        }
    }
    document
}

/// This document
///
/// OpenAPI 3.1, with everything that this server answers.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", responses((status = 200, description = "The document", body = Object)))]
pub async fn openapi_json(
    _: NoQuery,
    request: HttpRequest,
    rendered: web::Data<Rendered>,
) -> HttpResponse {
    if etag::is_unchanged(request.headers(), &rendered.json_tag) {
        return not_modified(&rendered.json_tag);
    }
    HttpResponse::Ok()
        .insert_header((ETAG, rendered.json_tag.clone()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(rendered.json.clone())
}

/// The document as a page
///
/// For people; needs no script and loads nothing.
#[utoipa::path(get, path = "/docs", tag = "operations", responses((status = 200, description = "The page", content_type = "text/html", body = String)))]
pub async fn docs_page(
    _: NoQuery,
    request: HttpRequest,
    rendered: web::Data<Rendered>,
) -> HttpResponse {
    if etag::is_unchanged(request.headers(), &rendered.page_tag) {
        return not_modified(&rendered.page_tag);
    }
    HttpResponse::Ok()
        .insert_header((ETAG, rendered.page_tag.clone()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, rendered.page_policy.clone()))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .content_type("text/html; charset=utf-8")
        .body(rendered.page.clone())
}

fn not_modified(tag: &HeaderValue) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header((ETAG, tag.clone()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .finish()
}

fn tag(content: &[u8]) -> HeaderValue {
    let digest = blake3::hash(content).to_hex();
    HeaderValue::try_from(format!("\"{}\"", &digest[..32]))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Every operation answers problems, and every answer names the request.
struct SharedAnswers;

impl Modify for SharedAnswers {
    fn modify(&self, document: &mut Document) {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let answer = ResponseBuilder::new()
            .description("What went wrong; `code` says it in one stable word.")
            .content(problem::MEDIA_TYPE, problem)
            .build();
        document
            .components
            .get_or_insert_with(Components::new)
            .responses
            .insert("Problem".to_owned(), RefOr::T(answer));
        let error = Content::new(Some(Ref::from_schema_name("OAuthError")));
        let answer = ResponseBuilder::new()
            .description("What went wrong; `error` says it in one stable word (RFC 6749 §5.2).")
            .content("application/json", error)
            .build();
        if let Some(components) = &mut document.components {
            components
                .responses
                .insert("OAuthError".to_owned(), RefOr::T(answer));
        }
        for (path, item) in &mut document.paths.paths {
            let name = if path.starts_with(oauth::PATHS) {
                "OAuthError"
            } else {
                "Problem"
            };
            for operation in operations(item) {
                let reference = RefOr::Ref(Ref::from_response_name(name));
                operation
                    .responses
                    .responses
                    .entry("default".to_owned())
                    .or_insert(reference);
            }
        }
    }
}

/// The two credentials that this API takes.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Components::new);
        let key = ApiKeyValue::with_description(
            "X-API-Key",
            "An API key; `Authorization: Bearer` is taken for it as well.",
        );
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token whose audience is the issuer followed by `/v1`, with the scope that the operation names."))
            .build();
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let client = HttpBuilder::new()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("A client's id and secret; `client_id` and `client_secret` in the body, or a `client_assertion`, are taken as well."))
            .build();
        components.add_security_scheme("client", SecurityScheme::Http(client));
        components.add_security_scheme("management", SecurityScheme::Http(bearer));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}
