//! `/v1/applications/{id}/secrets`: several live at once, so that one can be replaced without a gap.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Call, created, item};
use crate::broker::IssuedSecret;
use crate::broker::idempotency::KeptAnswer;
use crate::domain::application::StoredSecret;
use crate::domain::id::{ApplicationId, ClientSecretId};
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::OptionalRawJson;
use crate::http::management::{once, respond};
use crate::http::moment::Moment;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// The version of every secret, as none changes.
const VERSION: i64 = 1;

/// A secret of an application; never the secret itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientSecret)]
pub struct SecretBody {
    /// Its id, `sec_…`.
    #[schema(value_type = String)]
    id: ClientSecretId,
    /// Its last four letters, so that its holder knows it again.
    #[schema(example = "…w6n5")]
    hint: String,
    /// When it ends; null: never.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    /// Since when it exists.
    created_at: Timestamp,
}

impl From<&StoredSecret> for SecretBody {
    fn from(secret: &StoredSecret) -> Self {
        Self {
            id: secret.id,
            hint: format!("…{}", secret.hint),
            expires_at: secret.expires_at,
            created_at: secret.created_at,
        }
    }
}

/// A secret just made, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct IssuedSecretBody {
    /// Everything that the secret object has.
    #[serde(flatten)]
    object: SecretBody,
    /// The secret itself. It cannot be shown again.
    #[schema(example = "kgs_…")]
    client_secret: String,
}

/// A secret to be added.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"expires_at": "2027-06-01T00:00:00Z"}))]
pub struct AddSecret {
    /// When it ends. Left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSecrets {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Add a secret
///
/// The answer shows it, this once. The others go on: put the new one where it is used, then remove the old one. Up to ten live at once.
#[utoipa::path(
    post, path = "/v1/applications/{id}/secrets", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated."),
    ),
    request_body(content = Option<AddSecret>),
    responses((
        status = 201, description = "The secret", body = IssuedSecretBody,
        headers(
            ("Location" = String, description = "Where it is."),
            ("ETag" = String, description = "Its version, which never changes."),
        ),
    )),
)]
pub async fn add_secret(
    call: Call,
    _: NoQuery,
    Id(id): Id<ApplicationId>,
    key: OptionalIdempotencyKey,
    body: OptionalRawJson<AddSecret>,
) -> Result<HttpResponse, Problem> {
    let place = format!("POST /v1/applications/{id}/secrets");
    let attempt = call.attempt(key, &place, &body.bytes);
    let expires_at = body.value.expires_at.map(|Moment(end)| end);
    let answer = once(&call.broker, attempt, &issued, async |keep| {
        call.broker
            .add_application_secret(id, expires_at, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, true))
}

/// List an application's secrets
///
/// Newest first; the secrets themselves are nowhere.
#[utoipa::path(
    get, path = "/v1/applications/{id}/secrets", tag = "applications",
    params(("id" = String, Path, description = "The application's id, `app_…`."), ListSecrets),
    responses((status = 200, description = "A page of secrets", body = Page<SecretBody>)),
)]
pub async fn list_secrets(
    call: Call,
    Id(id): Id<ApplicationId>,
    Query(query): Query<ListSecrets>,
) -> Result<web::Json<Page<SecretBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .application_secrets(id, &call.caller, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.created_at,
        id: row.id.to_string(),
    });
    Ok(web::Json(page.map(|row| SecretBody::from(&row))))
}

/// Show a secret
///
/// Without the secret itself.
#[utoipa::path(
    get, path = "/v1/applications/{id}/secrets/{secret_id}", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("secret_id" = String, Path, description = "The secret's id, `sec_…`."),
    ),
    responses((
        status = 200, description = "The secret", body = SecretBody,
        headers(("ETag" = String, description = "Its version, which never changes.")),
    )),
)]
pub async fn show_secret(
    call: Call,
    _: NoQuery,
    Ids(id, secret): Ids<ApplicationId, ClientSecretId>,
) -> Result<HttpResponse, Problem> {
    let found = call
        .broker
        .application_secret(id, secret, &call.caller)
        .await?;
    Ok(item(VERSION, &SecretBody::from(&found)))
}

/// Remove a secret
///
/// It lets nobody in from the answer on. Tokens that were got with it live until they expire.
#[utoipa::path(
    delete, path = "/v1/applications/{id}/secrets/{secret_id}", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("secret_id" = String, Path, description = "The secret's id, `sec_…`."),
        ("If-Match" = Option<String>, Header, description = "The secret's `ETag`."),
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn remove_secret(
    call: Call,
    _: NoQuery,
    Ids(id, secret): Ids<ApplicationId, ClientSecretId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    if !if_match.allows(VERSION) {
        // What is not there is 404 whatever was expected of it.
        call.broker
            .application_secret(id, secret, &call.caller)
            .await?;
        return Err(Problem::precondition_failed());
    }
    call.broker
        .remove_application_secret(id, secret, &call.caller, call.origin())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn issued(issued: &IssuedSecret) -> KeptAnswer {
    let stored = &issued.stored;
    let location = format!(
        "/v1/applications/{}/secrets/{}",
        stored.application_id, stored.id
    );
    let body = IssuedSecretBody {
        object: SecretBody::from(stored),
        client_secret: issued.secret.expose().to_owned(),
    };
    created(location, VERSION, &body)
}
