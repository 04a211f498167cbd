//! `/v1/exchange-rules`: which application may trade tokens for one resource for tokens for another.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Call, created, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{ExchangeRuleChange, NewExchangeRule, ResourceName, ShownExchangeRule};
use crate::domain::exchange_rule::ExchangeMode;
use crate::domain::id::{ApplicationId, ExchangeRuleId};
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::management::{once, respond};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// The most scopes in one list.
const MOST_SCOPES: usize = 100;

/// An exchange rule.
#[derive(Serialize, ToSchema)]
#[schema(as = ExchangeRule, example = json!({
    "id": "rul_2qk5c7hnv3xw6yjz4m2tq7rdpa", "application_id": "app_2qk5c7hnv3xw6yjz4m2tq7rdpa",
    "subject_resource": "https://gateway.example.com", "requires_scope": ["call:payment"],
    "target_resource": "https://payment.example.com/api", "scopes": ["write:payment"],
    "delegation": true, "impersonation": false, "subject_must_hold": true,
    "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z",
}))]
pub struct ExchangeRuleBody {
    /// Its id, `rul_…`.
    #[schema(value_type = String)]
    id: ExchangeRuleId,
    /// Who may trade.
    #[schema(value_type = String)]
    application_id: ApplicationId,
    /// The identifier of the resource whose tokens it trades.
    #[schema(value_type = String)]
    subject_resource: ResourceIdentifier,
    /// What such a token must permit.
    #[schema(value_type = Vec<String>)]
    requires_scope: ScopeSet,
    /// The identifier of the resource for which it gets tokens.
    #[schema(value_type = String)]
    target_resource: ResourceIdentifier,
    /// What they may permit.
    #[schema(value_type = Vec<String>)]
    scopes: ScopeSet,
    /// Whether they name who acts (`act`).
    delegation: bool,
    /// Whether they need not.
    impersonation: bool,
    /// Whether the subject must hold what is given.
    subject_must_hold: bool,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

impl From<&ShownExchangeRule> for ExchangeRuleBody {
    fn from(shown: &ShownExchangeRule) -> Self {
        let rule = &shown.rule;
        Self {
            id: rule.id,
            application_id: rule.application,
            subject_resource: shown.subject_resource.clone(),
            requires_scope: rule.requires_scope.clone(),
            target_resource: shown.target_resource.clone(),
            scopes: shown.scopes.clone(),
            delegation: rule.mode.delegation,
            impersonation: rule.mode.impersonation,
            subject_must_hold: rule.subject_must_hold,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
        }
    }
}

/// A resource, by its identifier or its id.
#[derive(Clone, Debug)]
pub struct ResourceField(ResourceName);

impl<'de> Deserialize<'de> for ResourceField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(id) = text.parse() {
            return Ok(Self(ResourceName::Id(id)));
        }
        let identifier = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(ResourceName::Identifier(identifier)))
    }
}

/// A rule to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "application_id": "app_2qk5c7hnv3xw6yjz4m2tq7rdpa", "subject_resource": "https://gateway.example.com",
    "target_resource": "https://payment.example.com/api", "scopes": ["write:payment"],
}))]
pub struct CreateExchangeRule {
    /// Who may trade.
    #[schema(value_type = String)]
    application_id: ApplicationId,
    /// The resource whose tokens it trades, by its identifier or id.
    #[schema(value_type = String)]
    subject_resource: ResourceField,
    /// What such a token must permit; without it any will do.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    requires_scope: Vec<ScopeToken>,
    /// The resource for which it gets tokens, by its identifier or id.
    #[schema(value_type = String)]
    target_resource: ResourceField,
    /// What they may permit.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<ScopeToken>,
    /// Whether they may name who acts: the subject of the `actor_token`, else the application. True without it.
    #[serde(default = "yes")]
    #[schema(required = false)]
    delegation: bool,
    /// Whether they need not name anybody. False without it.
    #[serde(default)]
    impersonation: bool,
    /// Whether the subject must hold what is given. True without it.
    #[serde(default = "yes")]
    #[schema(required = false)]
    subject_must_hold: bool,
}

fn yes() -> bool {
    true
}

/// What is to change of a rule; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"scopes": ["read:payment"]}))]
pub struct UpdateExchangeRule {
    /// What a traded token must permit.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    requires_scope: Option<Vec<ScopeToken>>,
    /// What tokens may permit that it gets.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    scopes: Option<Vec<ScopeToken>>,
    /// Whether they may name who acts.
    #[schema(nullable = false)]
    delegation: Option<bool>,
    /// Whether they need not.
    #[schema(nullable = false)]
    impersonation: Option<bool>,
    /// Whether the subject must hold what is given.
    #[schema(nullable = false)]
    subject_must_hold: Option<bool>,
}

/// Which rules, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListExchangeRules {
    /// Those of this application.
    #[param(value_type = Option<String>)]
    application_id: Option<ApplicationId>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make an exchange rule
///
/// An application may then trade tokens for one resource for tokens for another (RFC 8693), in the name of their subjects. Only for the
/// deployment's operator. With an `Idempotency-Key` the request can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/exchange-rules", tag = "exchange rules",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateExchangeRule,
    responses((
        status = 201, description = "The rule", body = ExchangeRuleBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_exchange_rule(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateExchangeRule>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/exchange-rules", &body.bytes);
    let body = body.value;
    let new = NewExchangeRule {
        application: body.application_id,
        subject_resource: body.subject_resource.0,
        requires_scope: at_most("requires_scope", body.requires_scope)?,
        target_resource: body.target_resource.0,
        scopes: at_most("scopes", body.scopes)?,
        mode: ExchangeMode {
            delegation: body.delegation,
            impersonation: body.impersonation,
        },
        subject_must_hold: body.subject_must_hold,
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        call.broker
            .create_exchange_rule(new, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, false))
}

/// List exchange rules
///
/// Newest first. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/exchange-rules", tag = "exchange rules", params(ListExchangeRules),
    responses((status = 200, description = "A page of rules", body = Page<ExchangeRuleBody>)),
)]
pub async fn list_exchange_rules(
    call: Call,
    Query(query): Query<ListExchangeRules>,
) -> Result<web::Json<Page<ExchangeRuleBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let (application, limit) = (query.application_id, query.limit.rows_and_one());
    let rows = call
        .broker
        .exchange_rules(&call.caller, application, after, limit)
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.rule.created_at,
        id: row.rule.id.to_string(),
    });
    Ok(web::Json(page.map(|row| ExchangeRuleBody::from(&row))))
}

/// Show an exchange rule
#[utoipa::path(
    get, path = "/v1/exchange-rules/{id}", tag = "exchange rules",
    params(("id" = String, Path, description = "The rule's id, `rul_…`.")),
    responses((
        status = 200, description = "The rule", body = ExchangeRuleBody,
        headers(("ETag" = String, description = "Its version, for `If-Match`.")),
    )),
)]
pub async fn show_exchange_rule(
    call: Call,
    _: NoQuery,
    Id(id): Id<ExchangeRuleId>,
) -> Result<HttpResponse, Problem> {
    Ok(shown(&call.broker.exchange_rule(id, &call.caller).await?))
}

/// Change an exchange rule
///
/// Only the fields that are sent change. Tokens that were made by it are judged by it as it is now when they are asked about or traded
/// again. Only for the deployment's operator. With `If-Match` the change is made only to the version that was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/exchange-rules/{id}", tag = "exchange rules",
    params(
        ("id" = String, Path, description = "The rule's id, `rul_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateExchangeRule,
    responses((
        status = 200, description = "The rule as it is now", body = ExchangeRuleBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_exchange_rule(
    call: Call,
    _: NoQuery,
    Id(id): Id<ExchangeRuleId>,
    if_match: IfMatch,
    Json(body): Json<UpdateExchangeRule>,
) -> Result<HttpResponse, Problem> {
    let listed = |field, names: Option<Vec<ScopeToken>>| {
        names.map(|names| at_most(field, names)).transpose()
    };
    let change = ExchangeRuleChange {
        requires_scope: listed("requires_scope", body.requires_scope)?,
        scopes: listed("scopes", body.scopes)?,
        delegation: body.delegation,
        impersonation: body.impersonation,
        subject_must_hold: body.subject_must_hold,
    };
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .update_exchange_rule(id, change, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(&changed))
}

/// Remove an exchange rule
///
/// Tokens that were made by it are not good any more when they are asked about or traded again. Only for the deployment's operator.
#[utoipa::path(
    delete, path = "/v1/exchange-rules/{id}", tag = "exchange rules",
    params(
        ("id" = String, Path, description = "The rule's id, `rul_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_exchange_rule(
    call: Call,
    _: NoQuery,
    Id(id): Id<ExchangeRuleId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_exchange_rule(id, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(rule: &ShownExchangeRule) -> HttpResponse {
    item(rule.rule.version, &ExchangeRuleBody::from(rule))
}

fn shown_at_creation(rule: &ShownExchangeRule) -> KeptAnswer {
    let location = format!("/v1/exchange-rules/{}", rule.rule.id);
    created(location, rule.rule.version, &ExchangeRuleBody::from(rule))
}

fn at_most(field: &'static str, names: Vec<ScopeToken>) -> Result<Vec<ScopeToken>, Problem> {
    if names.len() > MOST_SCOPES {
        return Err(Problem::invalid_parameter(field, "must be at most 100"));
    }
    Ok(names)
}
