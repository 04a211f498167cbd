//! `/v1/users`: the people who are known here.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Call, created, item};
use crate::broker::NewUser;
use crate::broker::idempotency::KeptAnswer;
use crate::domain::id::UserId;
use crate::domain::subject::{Subject, SubjectIssuer, SubjectName};
use crate::domain::text::Name;
use crate::domain::user::User;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::management::{once, respond};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::patch::Patch;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// A person.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = User, example = json!({
    "id": "usr_2qk5c7hnv3xw6yjz4m2tq7rdpa", "iss": "https://sso.example.com", "sub": "ann", "name": "Ann",
    "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z",
}))]
pub struct UserBody {
    /// His id, `usr_…`.
    #[schema(value_type = String)]
    id: UserId,
    /// Who names him. It never changes.
    #[schema(value_type = String)]
    iss: SubjectIssuer,
    /// His name there. It never changes.
    #[schema(value_type = String)]
    sub: SubjectName,
    /// What people call him.
    #[schema(required)]
    name: Option<String>,
    /// Since when he is known.
    created_at: Timestamp,
    /// When he last changed.
    updated_at: Timestamp,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            iss: user.subject.iss.clone(),
            sub: user.subject.sub.clone(),
            name: user.name.clone(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A person to be made known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"iss": "https://sso.example.com", "sub": "ann", "name": "Ann"}))]
pub struct CreateUser {
    /// The issuer that names him.
    #[schema(value_type = String)]
    iss: SubjectIssuer,
    /// His name there: the `sub` of his tokens.
    #[schema(value_type = String)]
    sub: SubjectName,
    /// What people call him: 1 to 120 characters.
    #[schema(value_type = Option<String>)]
    name: Option<Name>,
}

/// What is to change of a person; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ann B."}))]
pub struct UpdateUser {
    /// What people call him; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<Name>,
}

/// Which people, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListUsers {
    /// Whom this issuer names.
    #[param(value_type = Option<String>)]
    iss: Option<SubjectIssuer>,
    /// Whom an issuer names so.
    #[param(value_type = Option<String>)]
    sub: Option<SubjectName>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make a person known
///
/// By issuer and subject; nobody is matched by an e-mail address. Only for the deployment's operator. With an `Idempotency-Key` the
/// request can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/users", tag = "users",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateUser,
    responses((
        status = 201, description = "The person", body = UserBody,
        headers(("Location" = String, description = "Where he is."), ("ETag" = String, description = "His version.")),
    )),
)]
pub async fn create_user(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateUser>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/users", &body.bytes);
    let CreateUser { iss, sub, name } = body.value;
    let new = NewUser {
        subject: Subject { iss, sub },
        name: name.map(Into::into),
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        call.broker
            .create_user(new, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, false))
}

/// List people
///
/// Newest first. A caller who is bound to an organization sees its members alone.
#[utoipa::path(
    get, path = "/v1/users", tag = "users", params(ListUsers),
    responses((status = 200, description = "A page of people", body = Page<UserBody>)),
)]
pub async fn list_users(
    call: Call,
    Query(query): Query<ListUsers>,
) -> Result<web::Json<Page<UserBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let filter = (query.iss.map(Into::into), query.sub.map(Into::into));
    let rows = call
        .broker
        .users(&call.caller, filter, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.created_at,
        id: row.id.to_string(),
    });
    Ok(web::Json(page.map(|row| UserBody::from(&row))))
}

/// Show a person
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "users",
    params(("id" = String, Path, description = "The person's id, `usr_…`.")),
    responses((
        status = 200, description = "The person", body = UserBody,
        headers(("ETag" = String, description = "His version, for `If-Match`.")),
    )),
)]
pub async fn show_user(
    call: Call,
    _: NoQuery,
    Id(id): Id<UserId>,
) -> Result<HttpResponse, Problem> {
    Ok(shown(&call.broker.user(id, &call.caller).await?))
}

/// Give a person another name
///
/// Only for the deployment's operator. With `If-Match` the change is made only to the version that was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/users/{id}", tag = "users",
    params(
        ("id" = String, Path, description = "The person's id, `usr_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateUser,
    responses((
        status = 200, description = "The person as he is now", body = UserBody,
        headers(("ETag" = String, description = "His new version.")),
    )),
)]
pub async fn update_user(
    call: Call,
    _: NoQuery,
    Id(id): Id<UserId>,
    if_match: IfMatch,
    Json(body): Json<UpdateUser>,
) -> Result<HttpResponse, Problem> {
    let name = body.name.change().map(|name| name.map(Into::into));
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .update_user(id, name, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(&changed))
}

/// Forget a person
///
/// While he is a member somewhere or owns a key that is not revoked, the answer is 409 `user_in_use`, which names them. Only for the
/// deployment's operator.
#[utoipa::path(
    delete, path = "/v1/users/{id}", tag = "users",
    params(
        ("id" = String, Path, description = "The person's id, `usr_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
    ),
    responses((status = 204, description = "He is forgotten")),
)]
pub async fn delete_user(
    call: Call,
    _: NoQuery,
    Id(id): Id<UserId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_user(id, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(user: &User) -> HttpResponse {
    item(user.version, &UserBody::from(user))
}

fn shown_at_creation(user: &User) -> KeptAnswer {
    let location = format!("/v1/users/{}", user.id);
    created(location, user.version, &UserBody::from(user))
}
