//! `/v1/pending-operations`: what was tried at identity providers in vain, as their operator sees it.

use actix_web::web;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Call;
use crate::broker::Pending;
use crate::http::json::OptionalJson;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// Something that was tried at a provider in vain.
#[derive(Serialize, ToSchema)]
#[schema(as = PendingOperation)]
pub struct PendingBody {
    /// Where.
    identity_provider: String,
    /// `create` (a half-made user is to be undone), `permit`, `describe`, `delete`, `resource` or `remove_resource`.
    kind: &'static str,
    /// The key or the resource.
    subject: String,
    /// How often.
    attempts: i32,
    /// Since when it is to be done.
    since: Timestamp,
    /// When it is tried again.
    next_try_at: Timestamp,
    /// Whether it was tried for a day and needs a person.
    stuck: bool,
    /// What went wrong last.
    #[schema(required)]
    last_error: Option<String>,
}

impl From<Pending> for PendingBody {
    fn from(pending: Pending) -> Self {
        Self {
            identity_provider: pending.provider.to_string(),
            kind: pending.kind,
            subject: pending.subject,
            attempts: pending.attempts,
            since: pending.since,
            next_try_at: pending.next_try_at,
            stuck: pending.stuck,
            last_error: pending.last_error,
        }
    }
}

/// How many are tried again.
#[derive(Serialize, ToSchema)]
pub struct Retried {
    /// How many.
    count: usize,
}

/// List what was tried at identity providers in vain
///
/// It is tried again by itself; what is stuck, once an hour. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/pending-operations", tag = "identity providers",
    responses((status = 200, description = "What is still to be done", body = Page<PendingBody>)),
)]
pub async fn list_pending_operations(
    call: Call,
    _: NoQuery,
) -> Result<web::Json<Page<PendingBody>>, Problem> {
    let pending = call.broker.pending_operations(&call.caller).await?;
    Ok(web::Json(Page {
        items: pending.into_iter().map(PendingBody::from).collect(),
        next_cursor: None,
    }))
}

/// Try again at once what was tried at identity providers in vain
///
/// Only for the deployment's operator.
#[utoipa::path(
    post, path = "/v1/pending-operations/retry", tag = "identity providers",
    responses((status = 200, description = "How many are tried again", body = Retried)),
)]
pub async fn retry_pending_operations(
    call: Call,
    _: NoQuery,
    _: OptionalJson<super::signing_keys::Nothing>,
) -> Result<web::Json<Retried>, Problem> {
    let count = call
        .broker
        .retry_operations(&call.caller, call.origin())
        .await?;
    Ok(web::Json(Retried { count }))
}
