//! `/v1/identity-providers`: where the machine users of keys live, as their operator sees them.

mod compared;
mod shown;

use actix_web::{HttpResponse, web};

pub use self::compared::{Import, ImportedResource, Reconcile, ReconcileReport};
pub use self::shown::{FindingBody, GroundBody, ProviderBody};
use super::{Call, item};
use crate::broker::Reconciliation;
use crate::domain::provider_name::ProviderName;
use crate::http::json::OptionalJson;
use crate::http::page::Page;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

fn page<T>(items: Vec<T>) -> web::Json<Page<T>> {
    web::Json(Page {
        items,
        next_cursor: None,
    })
}

/// List identity providers
///
/// By name, all of them. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/identity-providers", tag = "identity providers",
    responses((status = 200, description = "All identity providers", body = Page<ProviderBody>)),
)]
pub async fn list_identity_providers(
    call: Call,
    _: NoQuery,
) -> Result<web::Json<Page<ProviderBody>>, Problem> {
    let shown = call.broker.shown_providers(&call.caller)?;
    Ok(page(shown.into_iter().map(ProviderBody::from).collect()))
}

/// Show what an identity provider has to know
///
/// What `kagiya idp setup` makes there. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/identity-providers/{name}", tag = "identity providers",
    params(("name" = String, Path, description = "The provider's name.")),
    responses((
        status = 200, description = "What it has to know", body = GroundBody,
        headers(("ETag" = String, description = "Always the same: it is configured, not changed.")),
    )),
)]
pub async fn show_identity_provider(
    call: Call,
    _: NoQuery,
    Id(name): Id<ProviderName>,
) -> Result<HttpResponse, Problem> {
    let ground = call.broker.ground(&name, &call.caller).await?;
    Ok(item(1, &GroundBody::new(name.to_string(), ground)))
}

/// Check an identity provider
///
/// Looks for each thing that it must have. Only for the deployment's operator.
#[utoipa::path(
    post, path = "/v1/identity-providers/{name}/check", tag = "identity providers",
    params(("name" = String, Path, description = "The provider's name.")),
    responses((status = 200, description = "What was found of each thing", body = Page<FindingBody>)),
)]
pub async fn check_identity_provider(
    call: Call,
    _: NoQuery,
    Id(name): Id<ProviderName>,
    _: OptionalJson<super::signing_keys::Nothing>,
) -> Result<web::Json<Page<FindingBody>>, Problem> {
    let findings = call.broker.inspect_provider(&name, &call.caller).await?;
    Ok(page(findings.into_iter().map(FindingBody::from).collect()))
}

/// Compare the record with an identity provider
///
/// Users that nobody needs, keys without a user, rights that differ. What the provider lacks is put back, unless its own word counts.
/// Only for the deployment's operator.
#[utoipa::path(
    post, path = "/v1/identity-providers/{name}/reconcile", tag = "identity providers",
    params(("name" = String, Path, description = "The provider's name.")),
    request_body = Option<Reconcile>,
    responses((status = 200, description = "What was found", body = ReconcileReport)),
)]
pub async fn reconcile_identity_provider(
    call: Call,
    _: NoQuery,
    Id(name): Id<ProviderName>,
    OptionalJson(body): OptionalJson<Reconcile>,
) -> Result<web::Json<ReconcileReport>, Problem> {
    let how = Reconciliation {
        dry_run: body.dry_run,
        delete_orphans: body.delete_orphans,
    };
    let report = call
        .broker
        .reconcile(&name, how, &call.caller, call.origin())
        .await?;
    Ok(web::Json(report.into()))
}

/// Import resources of an identity provider
///
/// Makes here the resources and permissions that exist there. What is here stays as it is. Only for the deployment's operator.
#[utoipa::path(
    post, path = "/v1/identity-providers/{name}/import-resources", tag = "identity providers",
    params(("name" = String, Path, description = "The provider's name.")),
    request_body = Option<Import>,
    responses((status = 200, description = "What exists there", body = Page<ImportedResource>)),
)]
pub async fn import_resources(
    call: Call,
    _: NoQuery,
    Id(name): Id<ProviderName>,
    OptionalJson(body): OptionalJson<Import>,
) -> Result<web::Json<Page<ImportedResource>>, Problem> {
    let imported = call
        .broker
        .import_resources(&name, body.dry_run, &call.caller, call.origin())
        .await?;
    Ok(page(
        imported.into_iter().map(ImportedResource::from).collect(),
    ))
}
