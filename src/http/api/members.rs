//! `/v1/organizations/{id}/members`: who is in an organization, as what, and with which user roles.

use actix_web::http::StatusCode;
use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::UserBody;
use super::{Call, item};
use crate::broker::NewMembership;
use crate::domain::id::{OrganizationId, RoleId, UserId};
use crate::domain::user::{MemberRole, Membership, User};
use crate::http::etag::{IfMatch, etag};
use crate::http::json::Json;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// The most roles that one request names.
const MOST_ROLES: usize = 100;

/// A member of an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberBody {
    /// Where, `org_…`.
    #[schema(value_type = String)]
    organization_id: OrganizationId,
    /// Who.
    user: UserBody,
    /// As what: `member` (has keys of his own, within his roles) or `admin` (whatever the organization may; looks after its keys and
    /// members).
    #[schema(value_type = String, example = "member")]
    role: MemberRole,
    /// The user roles that he holds there.
    #[schema(value_type = Vec<String>, example = json!(["rol_2qk5c7hnv3xw6yjz4m2tq7rdpa"]))]
    roles: Vec<RoleId>,
    /// Since when.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

impl MemberBody {
    fn new(member: Membership, user: &User) -> Self {
        Self {
            organization_id: member.organization_id,
            user: UserBody::from(user),
            role: member.role,
            roles: member.roles,
            created_at: member.created_at,
            updated_at: member.updated_at,
        }
    }
}

/// What a member is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "member", "roles": ["rol_2qk5c7hnv3xw6yjz4m2tq7rdpa"]}))]
pub struct PutMember {
    /// As what: `member` or `admin`.
    #[schema(value_type = String)]
    role: MemberRole,
    /// All user roles that he is to hold there. Left out: none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    roles: Vec<RoleId>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMembers {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// List an organization's members
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members", tag = "organizations",
    params(("id" = String, Path, description = "The organization's id, `org_…`."), ListMembers),
    responses((status = 200, description = "A page of members", body = Page<MemberBody>)),
)]
pub async fn list_members(
    call: Call,
    Id(organization): Id<OrganizationId>,
    Query(query): Query<ListMembers>,
) -> Result<web::Json<Page<MemberBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .members(
            organization,
            &call.caller,
            None,
            after,
            query.limit.rows_and_one(),
        )
        .await?;
    let page = Page::cut(rows, query.limit, |(member, _)| Cursor {
        created_at: member.created_at,
        id: member.user_id.to_string(),
    });
    Ok(web::Json(
        page.map(|(member, user)| MemberBody::new(member, &user)),
    ))
}

/// Show a member
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members/{user_id}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("user_id" = String, Path, description = "The person's id, `usr_…`."),
    ),
    responses((
        status = 200, description = "The member", body = MemberBody,
        headers(("ETag" = String, description = "His version, for `If-Match`.")),
    )),
)]
pub async fn show_member(
    call: Call,
    _: NoQuery,
    Ids(organization, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let (member, user) = call.broker.member(organization, user, &call.caller).await?;
    Ok(item(member.version, &MemberBody::new(member, &user)))
}

/// Make a person a member, or change what he is
///
/// 201 if he was none, else 200. What his keys there give follows from the answer on. A key gives only roles whose permissions it
/// holds, and makes nobody an admin (403 `would_widen`); an admin gives only roles that the organization may use whole (403
/// `beyond_grantor`).
#[utoipa::path(
    put, path = "/v1/organizations/{id}/members/{user_id}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("user_id" = String, Path, description = "The person's id, `usr_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = PutMember,
    responses(
        (
            status = 200, description = "The member as he is now", body = MemberBody,
            headers(("ETag" = String, description = "His new version.")),
        ),
        (
            status = 201, description = "The new member", body = MemberBody,
            headers(("ETag" = String, description = "His version.")),
        ),
    ),
)]
pub async fn put_member(
    call: Call,
    _: NoQuery,
    Ids(organization, user): Ids<OrganizationId, UserId>,
    if_match: IfMatch,
    Json(body): Json<PutMember>,
) -> Result<HttpResponse, Problem> {
    if body.roles.len() > MOST_ROLES {
        return Err(Problem::invalid_parameter("roles", "must be at most 100"));
    }
    let wanted = NewMembership {
        role: body.role,
        roles: body.roles,
    };
    // A version of what is not there is none that anybody saw.
    let expected = |version: Option<i64>| if_match.allows(version.unwrap_or(i64::MIN));
    let (member, user, is_new) = call
        .broker
        .put_member(
            (organization, user),
            wanted,
            &call.caller,
            call.origin(),
            expected,
        )
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(HttpResponse::build(status)
        .insert_header((ETAG, etag(member.version)))
        .json(MemberBody::new(member, &user)))
}

/// Take a person out of an organization
///
/// His keys there follow its `owner_gone` in the same moment: `pause` disables them, `hand_over` leaves them without an owner, `keep`
/// leaves him on record; by the latter two they go on giving what they gave at that moment.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}/members/{user_id}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("user_id" = String, Path, description = "The person's id, `usr_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
    ),
    responses((status = 204, description = "He is no member any more")),
)]
pub async fn remove_member(
    call: Call,
    _: NoQuery,
    Ids(organization, user): Ids<OrganizationId, UserId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .remove_member((organization, user), &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
