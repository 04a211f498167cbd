//! `GET /v1/keys/{id}/usage`: how often a key was traded and refused, by day, resource and scope.

use actix_web::web;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Call;
use crate::domain::id::KeyId;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::store::key_usage::DailyUse;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShowUsage {
    /// How many rows at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The use of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyUsage {
    /// The figures, the newest day first.
    items: Vec<DailyUsage>,
    /// Where the next page begins, to be sent as `cursor`; null when this is the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// When it was last traded; null: never.
    #[schema(required)]
    last_used_at: Option<Timestamp>,
}

/// The figures of a day, a resource and a scope.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "date": "2026-11-22", "resource": "https://payment.example.com/api", "scope": "write:payment", "exchanges": 12, "refusals": 0,
}))]
pub struct DailyUsage {
    /// The day, in UTC.
    date: String,
    /// The resource; null for a refusal that named none that the key can have.
    #[schema(required)]
    resource: Option<String>,
    /// What was granted; null for refusals, and where too many different requests came to be told apart.
    #[schema(required)]
    scope: Option<String>,
    /// Trades.
    exchanges: i64,
    /// Refusals after both proofs: the key is real, and stopped, out of place or asks for too much.
    refusals: i64,
}

impl From<DailyUse> for DailyUsage {
    fn from(row: DailyUse) -> Self {
        Self {
            date: Offset::UTC.to_datetime(row.date()).date().to_string(),
            resource: row.resource,
            scope: row.scope,
            exchanges: row.exchanges,
            refusals: row.refusals,
        }
    }
}

/// Show the use of a key
///
/// Counted in memory and written every few seconds (`usage.flush_seconds`), so the newest use may be missing.
#[utoipa::path(
    get, path = "/v1/keys/{id}/usage", tag = "keys",
    params(("id" = String, Path, description = "The key's id, `key_…`."), ShowUsage),
    responses((status = 200, description = "The figures", body = KeyUsage)),
)]
pub async fn show_usage(
    call: Call,
    Id(id): Id<KeyId>,
    Query(query): Query<ShowUsage>,
) -> Result<web::Json<KeyUsage>, Problem> {
    call.about(id);
    let after = query.cursor.map(Into::into);
    let (last_used_at, rows) = call
        .broker
        .key_usage(id, &call.caller, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.date(),
        id: row.target(),
    });
    let page = page.map(DailyUsage::from);
    Ok(web::Json(KeyUsage {
        items: page.items,
        next_cursor: page.next_cursor,
        last_used_at,
    }))
}
