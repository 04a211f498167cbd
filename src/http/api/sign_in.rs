//! `/v1/sign-in-links` and `/v1/users/{id}/operator`: how people come to the dashboard in the first place.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Call;
use crate::broker::idempotency::KeptAnswer;
use crate::broker::sign_in::{MadeLink, NewLink};
use crate::domain::id::{LinkId, OrganizationId, RoleId, UserId};
use crate::domain::sign_in::LinkPurpose;
use crate::domain::text::Name;
use crate::domain::user::MemberRole;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::management::{kept, once, respond};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// What a link is for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Whoever uses it runs the deployment from then on.
    Operator,
    /// Whoever uses it becomes a member of `organization_id`.
    Invitation,
    /// The person of `user_id`, who signs in here, chooses a new password.
    Password,
}

/// A link to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "invitation", "organization_id": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa", "role": "member", "note": "Ann"}))]
pub struct CreateSignInLink {
    /// `operator`, `invitation` or `password`.
    #[schema(value_type = String)]
    purpose: Purpose,
    /// Of an invitation: where.
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// Of an invitation: `member`, the default, or `admin`.
    #[schema(value_type = Option<String>)]
    role: Option<MemberRole>,
    /// Of an invitation: the user roles that come with it.
    #[schema(value_type = Option<Vec<String>>)]
    roles: Option<Vec<RoleId>>,
    /// Of a new password: whose.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// For whom it is, in your words.
    #[schema(value_type = Option<String>)]
    note: Option<Name>,
    /// Whether it can be used on the server's own machine alone. Default: `true` for operators, `false` else.
    loopback: Option<bool>,
}

/// A link that lets somebody in once.
#[derive(Serialize, ToSchema)]
pub struct SignInLinkObject {
    /// Its id, `lnk_…`.
    #[schema(value_type = String)]
    id: LinkId,
    /// What it is for.
    #[schema(value_type = String)]
    purpose: String,
    /// Where it leads. It cannot be shown again.
    #[schema(example = "https://keys.example.com/dashboard/links/…")]
    url: String,
    /// Until when it can be used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Whether somebody runs the deployment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOperator {
    /// Whether he does from now on.
    operator: bool,
}

/// Make a link that lets somebody into the dashboard
///
/// Once, and for a while: 15 minutes for operators, 7 days for invitations, 24 hours for a new password. Only for the deployment's operator;
/// what makes or lets in an operator, or changes somebody's password, wants a token with every scope. With an `Idempotency-Key` the
/// request can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/sign-in-links", tag = "users",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateSignInLink,
    responses((status = 201, description = "The link, this once", body = SignInLinkObject)),
)]
pub async fn create_sign_in_link(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateSignInLink>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/sign-in-links", &body.bytes);
    let body = body.value;
    let purpose = match body.purpose {
        Purpose::Operator => LinkPurpose::Operator,
        Purpose::Invitation => LinkPurpose::Invitation {
            organization: body
                .organization_id
                .or(call.caller.organization_id)
                .ok_or_else(|| Problem::missing_field("organization_id"))?,
            role: body.role.unwrap_or(MemberRole::Member),
            roles: body.roles.unwrap_or_default(),
        },
        Purpose::Password => LinkPurpose::Password {
            user: body
                .user_id
                .ok_or_else(|| Problem::missing_field("user_id"))?,
        },
    };
    let new = NewLink {
        loopback: body.loopback.unwrap_or(purpose == LinkPurpose::Operator),
        purpose,
        note: body.note.map(Into::into),
    };
    let base = call.broker.issuer().to_string();
    let render = |made: &MadeLink| shown(&base, made);
    let answer = once(&call.broker, attempt, &render, async |keep| {
        call.broker
            .make_link(new, &call.caller, &call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, true))
}

/// Say whether a person runs the deployment
///
/// Wants a token with every scope. Nobody takes it from himself; one whom the configuration names stays an operator.
#[utoipa::path(
    put, path = "/v1/users/{id}/operator", tag = "users",
    params(("id" = String, Path, description = "The person's id, `usr_…`.")),
    request_body = SetOperator,
    responses((status = 204, description = "It is so")),
)]
pub async fn set_operator(
    call: Call,
    _: NoQuery,
    Id(id): Id<UserId>,
    Json(body): Json<SetOperator>,
) -> Result<HttpResponse, Problem> {
    call.broker
        .set_operator(id, body.operator, &call.caller, &call.origin())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(base: &str, made: &MadeLink) -> KeptAnswer {
    let object = SignInLinkObject {
        id: made.link.id,
        purpose: made.link.purpose.as_str().to_owned(),
        url: format!(
            "{}/dashboard/links/{}",
            base.trim_end_matches('/'),
            made.secret.expose()
        ),
        expires_at: made.link.expires_at,
    };
    kept(StatusCode::CREATED, Vec::new(), &object)
}
