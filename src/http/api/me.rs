//! `/v1/me`: who the caller is, and what he may give where.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::Call;
use super::users::UserBody;
use crate::broker::Me;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId};
use crate::domain::user::MemberRole;
use crate::http::key_object::{ResourceScopes, in_words};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// The caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeBody {
    /// The subject under which the audit trail has what he does.
    #[schema(example = "usr_2qk5c7hnv3xw6yjz4m2tq7rdpa")]
    subject: String,
    /// Whether he runs the deployment, and so may give anything anywhere.
    operator: bool,
    /// The key that he is; null: none.
    #[schema(value_type = Option<String>, required)]
    key_id: Option<KeyId>,
    /// The application that it is; null: none.
    #[schema(value_type = Option<String>, required)]
    application_id: Option<ApplicationId>,
    /// The person that he is; null: none.
    #[schema(required)]
    user: Option<UserBody>,
    /// What his token lets him call.
    scopes: Vec<String>,
    /// The organizations that he sees; of the operator, who sees all, none is listed.
    organizations: Vec<MyOrganization>,
}

/// An organization of the caller.
#[derive(Serialize, ToSchema)]
pub struct MyOrganization {
    /// Its id, `org_…`.
    #[schema(value_type = String)]
    id: OrganizationId,
    /// What people call it.
    name: String,
    /// What he is there: `member` or `admin`; null: no member, but a key.
    #[schema(value_type = Option<String>, required)]
    role: Option<MemberRole>,
    /// What he may give there, now.
    permissions: Vec<ResourceScopes>,
}

/// Who is calling
///
/// Needs a token for this API and no scope.
#[utoipa::path(
    get, path = "/v1/me", tag = "users",
    responses((status = 200, description = "The caller", body = MeBody)),
)]
pub async fn me(call: Call, _: NoQuery) -> Result<web::Json<MeBody>, Problem> {
    let Me {
        key,
        application,
        user,
        operator,
        organizations,
    } = call.broker.me(&call.caller).await?;
    let organizations = organizations.into_iter().map(|there| MyOrganization {
        id: there.id,
        name: there.name,
        role: there.role,
        permissions: in_words(&there.permissions),
    });
    Ok(web::Json(MeBody {
        subject: call.caller.actor.to_string(),
        operator,
        key_id: key,
        application_id: application,
        user: user.as_ref().map(UserBody::from),
        scopes: call.caller.scopes.iter().map(ToString::to_string).collect(),
        organizations: organizations.collect(),
    }))
}
