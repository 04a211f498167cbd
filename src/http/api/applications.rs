//! `/v1/applications`: machine-to-machine clients of the authorization server.

use actix_web::{HttpResponse, web};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{Call, created, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{ApplicationChange, MadeApplication, NewApplication, ShownApplication};
use crate::domain::application::{MAX_ROLES, TokenEndpointAuthMethod};
use crate::domain::id::{ApplicationId, ClientSecretId, OrganizationId, ResourceId, RoleId};
use crate::domain::limits::AllowedCidrs;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::text::{Description, Name};
use crate::http::cascade::Cascade;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::key_object::{ResourceScopes, in_words};
use crate::http::management::{once, respond};
use crate::http::may_act::{MayAct, MayActObject};
use crate::http::object;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::patch::Patch;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// An application.
#[derive(Serialize, ToSchema)]
#[schema(as = Application)]
pub struct ApplicationBody {
    /// Its id, `app_…`.
    #[schema(value_type = String)]
    id: ApplicationId,
    /// The same: what it calls itself at the token endpoint.
    #[schema(value_type = String)]
    client_id: ApplicationId,
    /// What people call it.
    name: String,
    /// What it is for.
    #[schema(required)]
    description: Option<String>,
    /// The organization that it belongs to; null: the deployment.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrganizationId>,
    /// The machine-to-machine roles that it holds.
    #[schema(value_type = Vec<String>)]
    roles: Vec<RoleId>,
    /// What it may do now: what its roles bundle, as far as its organization may use it.
    permissions: Vec<ResourceScopes>,
    /// The resources that it serves: it may ask about tokens for them.
    #[schema(value_type = Vec<String>)]
    resources: Vec<ResourceId>,
    /// The resource meant when a request for a token names none.
    #[schema(required)]
    default_resource: Option<String>,
    /// How it proves who it is; null: by its secret, by HTTP Basic or in the body.
    #[schema(value_type = Option<String>, required)]
    token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// Its public keys, where it signs assertions.
    #[schema(value_type = Option<Object>, required)]
    jwks: Option<Value>,
    /// Whether its assertions may name the token endpoint as their audience.
    legacy_assertion_audience: bool,
    /// From where it may come; null: from anywhere.
    #[schema(value_type = Option<Vec<String>>, required)]
    allowed_cidrs: Option<Vec<IpNet>>,
    /// Who may act for it; null: whoever a rule lets.
    #[schema(required)]
    may_act: Option<MayActObject>,
    /// Whether it is paused.
    disabled: bool,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

impl From<&ShownApplication> for ApplicationBody {
    fn from(shown: &ShownApplication) -> Self {
        let application = &shown.application;
        // What was read as a JWK set is JSON.
        let jwks = application.jwks.as_deref();
        let cidrs = application.allowed_cidrs.as_ref();
        Self {
            id: application.id,
            client_id: application.id,
            name: application.name.clone(),
            description: application.description.clone(),
            organization_id: application.organization_id,
            roles: application.roles.clone(),
            permissions: in_words(&shown.permissions),
            resources: application.resources.clone(),
            default_resource: shown.default_resource.as_ref().map(ToString::to_string),
            token_endpoint_auth_method: application.auth_method,
            jwks: jwks.and_then(|text| serde_json::from_str(text).ok()),
            legacy_assertion_audience: application.legacy_assertion_audience,
            allowed_cidrs: cidrs.map(|cidrs| cidrs.iter().copied().collect()),
            may_act: application.may_act.map(MayActObject::from),
            disabled: application.disabled_at.is_some(),
            created_at: application.created_at,
            updated_at: application.updated_at,
        }
    }
}

/// An application with its first secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct MadeApplicationBody {
    /// Everything that the application object has.
    #[serde(flatten)]
    application: ApplicationBody,
    /// The secret. It cannot be shown again. Absent where the application signs assertions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "kgs_…", nullable = false)]
    client_secret: Option<String>,
    /// The secret's id, `sec_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    client_secret_id: Option<ClientSecretId>,
}

/// An application to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "cart service", "roles": ["rol_2qk5c7hnv3xw6yjz4m2tq7rdpa"]}))]
pub struct CreateApplication {
    /// What people call it: 1 to 120 characters.
    #[schema(value_type = String)]
    name: Name,
    /// What it is for: 1 to 500 characters.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
    /// The organization that it belongs to. Left out: the caller's, if he is bound to one, else the deployment.
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// The machine-to-machine roles that it holds, by their ids; up to 100.
    #[schema(value_type = Option<Vec<String>>)]
    roles: Option<Vec<RoleId>>,
    /// The resources that it serves, by their ids; up to 100. Only for the deployment's operator.
    #[schema(value_type = Option<Vec<String>>)]
    resources: Option<Vec<ResourceId>>,
    /// The resource meant when a request for a token names none: its identifier.
    #[schema(value_type = Option<String>)]
    default_resource: Option<ResourceIdentifier>,
    /// `client_secret_basic`, `client_secret_post` or `private_key_jwt`. Left out: its secret, by HTTP Basic or in the body.
    #[schema(value_type = Option<String>)]
    token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// For `private_key_jwt`: its public keys, a JWK set.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Map<String, Value>>,
    /// For `private_key_jwt`: whether its assertions may name the token endpoint as their audience, for libraries of old. Better not.
    #[serde(default)]
    #[schema(required = false)]
    legacy_assertion_audience: Option<bool>,
    /// The networks that it may come from. Left out: any.
    #[schema(value_type = Option<Vec<String>>, example = json!(["192.0.2.0/24"]))]
    allowed_cidrs: Option<AllowedCidrs>,
    /// Who may act for it. Left out: whoever a rule lets.
    #[serde(default, deserialize_with = "object::optional")]
    may_act: Option<MayAct>,
}

/// What is to change of an application; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"disabled": true}))]
pub struct UpdateApplication {
    /// What people call it.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    name: Patch<Name>,
    /// What it is for; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Patch<Description>,
    /// All resources that it serves; null: none. Only for the deployment's operator.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    resources: Patch<Vec<ResourceId>>,
    /// The resource meant when a request for a token names none; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    default_resource: Patch<ResourceIdentifier>,
    /// How it proves who it is; null: by its secret. With `private_key_jwt` its secrets are gone.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    token_endpoint_auth_method: Patch<TokenEndpointAuthMethod>,
    /// All its public keys.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    jwks: Patch<Map<String, Value>>,
    /// Whether its assertions may name the token endpoint as their audience.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    legacy_assertion_audience: Patch<bool>,
    /// The networks that it may come from; null: any.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_cidrs: Patch<AllowedCidrs>,
    /// Who may act for it; null: whoever a rule lets.
    #[serde(default, deserialize_with = "object::patch")]
    #[schema(value_type = Option<Object>)]
    may_act: Patch<MayAct>,
    /// Whether it is paused: then it gets no token, and those that it got are not active.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    disabled: Patch<bool>,
}

/// Which applications, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApplications {
    /// Applications of this organization.
    #[param(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make an application
///
/// The answer shows its first secret, this once. With an `Idempotency-Key` the request can be repeated: it gives the same answer, the
/// secret included, for 24 hours or until the secret is removed.
#[utoipa::path(
    post, path = "/v1/applications", tag = "applications",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateApplication,
    responses((
        status = 201, description = "The application", body = MadeApplicationBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_application(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateApplication>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/applications", &body.bytes);
    let body = body.value;
    let new = NewApplication {
        name: body.name.into(),
        description: body.description.map(Into::into),
        organization: body.organization_id,
        roles: at_most("roles", body.roles.unwrap_or_default())?,
        resources: at_most("resources", body.resources.unwrap_or_default())?,
        default_resource: body.default_resource,
        auth_method: body.token_endpoint_auth_method,
        jwks: body.jwks.map(|jwks| Value::Object(jwks).to_string()),
        legacy_assertion_audience: body.legacy_assertion_audience.unwrap_or_default(),
        allowed_cidrs: body.allowed_cidrs,
        may_act: body.may_act.map(|may_act| may_act.application_id),
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        call.broker
            .create_application(new, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, true))
}

/// List applications
///
/// Newest first. A caller who is bound to an organization sees its applications alone.
#[utoipa::path(
    get, path = "/v1/applications", tag = "applications", params(ListApplications),
    responses((status = 200, description = "A page of applications", body = Page<ApplicationBody>)),
)]
pub async fn list_applications(
    call: Call,
    Query(query): Query<ListApplications>,
) -> Result<web::Json<Page<ApplicationBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .applications(
            &call.caller,
            (query.organization_id, None),
            after,
            query.limit.rows_and_one(),
        )
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.application.created_at,
        id: row.application.id.to_string(),
    });
    Ok(web::Json(page.map(|row| ApplicationBody::from(&row))))
}

/// Show an application
#[utoipa::path(
    get, path = "/v1/applications/{id}", tag = "applications",
    params(("id" = String, Path, description = "The application's id, `app_…`.")),
    responses((
        status = 200, description = "The application", body = ApplicationBody,
        headers(("ETag" = String, description = "Its version, for `If-Match`.")),
    )),
)]
pub async fn show_application(
    call: Call,
    _: NoQuery,
    Id(id): Id<ApplicationId>,
) -> Result<HttpResponse, Problem> {
    Ok(shown(&call.broker.application(id, &call.caller).await?))
}

/// Change an application
///
/// Only the fields that are sent change, and the change counts from the answer on. With `If-Match` it is made only to the version that
/// was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/applications/{id}", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateApplication,
    responses((
        status = 200, description = "The application as it is now", body = ApplicationBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_application(
    call: Call,
    _: NoQuery,
    Id(id): Id<ApplicationId>,
    if_match: IfMatch,
    Json(body): Json<UpdateApplication>,
) -> Result<HttpResponse, Problem> {
    let resources = body.resources.or_default();
    let change = ApplicationChange {
        name: body.name.unless_null("name")?.map(Into::into),
        description: body.description.change().map(|text| text.map(Into::into)),
        resources: resources.map(|ids| at_most("resources", ids)).transpose()?,
        default_resource: body.default_resource.change(),
        auth_method: body.token_endpoint_auth_method.change(),
        jwks: body
            .jwks
            .change()
            .map(|jwks| jwks.map(|jwks| Value::Object(jwks).to_string())),
        legacy_assertion_audience: body
            .legacy_assertion_audience
            .unless_null("legacy_assertion_audience")?,
        allowed_cidrs: body.allowed_cidrs.change(),
        may_act: body
            .may_act
            .change()
            .map(|may_act| may_act.map(|may_act| may_act.application_id)),
        disabled: body.disabled.unless_null("disabled")?,
    };
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .update_application(id, change, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(&changed))
}

/// Remove an application
///
/// Its secrets are gone, and tokens that it got, or had a part in, are not active any more. While something refers to it (the `may_act` of a
/// key or of another application, a rule) the answer is 409 `application_in_use`, which names it.
#[utoipa::path(
    delete, path = "/v1/applications/{id}", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
        Cascade,
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_application(
    call: Call,
    Query(Cascade { cascade }): Query<Cascade>,
    Id(id): Id<ApplicationId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_application(id, cascade, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) fn shown(application: &ShownApplication) -> HttpResponse {
    let version = application.application.version;
    item(version, &ApplicationBody::from(application))
}

fn shown_at_creation(made: &MadeApplication) -> KeptAnswer {
    let application = &made.shown.application;
    let secret = made.secret.as_ref();
    let body = MadeApplicationBody {
        application: ApplicationBody::from(&made.shown),
        client_secret: secret.map(|secret| secret.secret.expose().to_owned()),
        client_secret_id: secret.map(|secret| secret.stored.id),
    };
    let location = format!("/v1/applications/{}", application.id);
    created(location, application.version, &body)
}

/// A list of ids that is not too long.
pub(super) fn at_most<T>(field: &'static str, ids: Vec<T>) -> Result<Vec<T>, Problem> {
    if ids.len() > MAX_ROLES {
        return Err(Problem::invalid_parameter(field, "must be at most 100"));
    }
    Ok(ids)
}
