//! `POST /oauth/introspect` (RFC 7662): what a token or an API key is worth now.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::client::Presented;
use super::error::Error;
use super::parameters::Parameters;
use crate::broker::{ActiveKey, ActiveToken, Broker, Introspected, IntrospectionRefusal};
use crate::http::facts::Facts;
use crate::http::management::{database, provider};
use crate::http::problem::Problem;

/// The type of an API key, among the types of tokens (RFC 8693 §3).
pub const API_KEY: &str = "urn:kagiya:params:oauth:token-type:api-key";

/// What is asked about (RFC 7662 §2.1).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read by name")]
pub struct IntrospectionForm {
    /// An access token, or an API key.
    token: String,
    /// Not needed: every kind is looked for.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// For an API key: the identifier of the resource at which it is presented, where the client serves several.
    #[schema(nullable = false)]
    resource: Option<String>,
}

/// What it is worth now (RFC 7662 §2.2). Only `active` is there if it is false.
#[derive(Serialize, ToSchema)]
#[schema(as = Introspection)]
pub struct IntrospectionBody<'a> {
    /// Whether it is good, and you may know.
    active: bool,
    /// What it permits now: of what it says, what its subject holds.
    #[schema(example = "write:payment")]
    scope: String,
    /// The client that it was issued to; a key is its own.
    client_id: &'a str,
    /// `Bearer`, or the type of an API key.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// When it expires, in seconds since 1970. Not there for a key without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// Since when it is good; of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// Whom it stands for.
    sub: &'a str,
    /// The resource; for a key those that you serve.
    #[schema(value_type = String)]
    aud: Audience<'a>,
    /// Our issuer identifier.
    iss: &'a str,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    /// The organization of its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<&'a str>,
    /// The person behind its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerBody<'a>>,
    /// The generation of the key.
    #[serde(rename = "gen", skip_serializing_if = "Option::is_none")]
    generation: Option<&'a str>,
    /// The first token of the chain of exchanges.
    #[serde(rename = "fam", skip_serializing_if = "Option::is_none")]
    family: Option<&'a str>,
    /// Who acts (RFC 8693 §4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
    /// Who may act (RFC 8693 §4.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    may_act: Option<&'a Value>,
    /// Metadata of the key that the resource names.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a std::collections::BTreeMap<String, String>>,
}

/// A person, as an identity provider names him.
#[derive(Serialize, ToSchema)]
pub struct OwnerBody<'a> {
    /// The provider.
    iss: &'a str,
    /// His name there.
    sub: &'a str,
}

/// One resource, or several.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

impl<'a> Audience<'a> {
    fn of(resources: &'a [String]) -> Self {
        match resources {
            [only] => Self::One(only),
            several => Self::Several(several),
        }
    }
}

/// Ask about a token
///
/// Whether a token or an API key is good now, and what it permits now (RFC 7662). You hear of tokens that were issued to you, of tokens
/// and keys for resources that you serve, and of all of them with the scope `tokens:introspect`; the latter two within your organization
/// if you have one. Of all others you are told what you would be told of a dead one: `{"active":false}`.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = IntrospectionForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "What it is worth", body = IntrospectionBody<'_>)),
)]
pub async fn introspect(
    request: HttpRequest,
    payload: web::Payload,
    facts: Facts,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Error> {
    let mut payload = payload.into_inner();
    let parameters = Parameters::read(&request, &mut payload).await?;
    let client = Presented::read(request.headers(), &parameters)?
        .authenticate(&broker, &facts)
        .await?;
    let token = parameters
        .one("token")
        .ok_or_else(|| Error::invalid_request("token is missing"))?;
    let found = broker
        .introspect(&client, token, parameters.one("resource"))
        .await
        .map_err(refused)?;
    let issuer = broker.issuer().as_str();
    Ok(match &found {
        None => answer(&serde_json::json!({"active": false})),
        Some(Introspected::Token(token)) => answer(&of_token(token)),
        Some(Introspected::Key(key)) => {
            facts.key(key.record.key_id());
            of_key(key, issuer)
        }
    })
}

fn of_token(token: &ActiveToken) -> IntrospectionBody<'_> {
    let claims = &token.claims;
    IntrospectionBody {
        active: true,
        scope: token.scope.to_string(),
        client_id: &claims.client_id,
        token_type: "Bearer",
        exp: Some(claims.exp.as_second()),
        iat: Some(claims.iat.as_second()),
        sub: &claims.sub,
        aud: Audience::of(&claims.aud),
        iss: &claims.iss,
        jti: Some(&claims.jti),
        org_id: claims.org_id.as_deref(),
        owner: claims.owner.as_ref().map(|owner| OwnerBody {
            iss: &owner.iss,
            sub: &owner.sub,
        }),
        generation: claims.generation.as_deref(),
        family: claims.family.as_deref(),
        act: claims.act.as_ref(),
        may_act: claims.may_act.as_ref(),
        metadata: (!claims.metadata.is_empty()).then_some(&claims.metadata),
    }
}

fn of_key(key: &ActiveKey, issuer: &str) -> HttpResponse {
    let (id, organization) = (key.record.key_id(), key.record.organization_id());
    let generation = key.record.credential_id();
    answer(&IntrospectionBody {
        active: true,
        scope: key.scope.to_string(),
        client_id: id.as_str(),
        token_type: API_KEY,
        exp: key.last_second,
        iat: None,
        sub: id.as_str(),
        aud: Audience::of(&key.audiences),
        iss: issuer,
        jti: None,
        org_id: Some(organization.as_str()),
        owner: key.owner.as_ref().map(|owner| OwnerBody {
            iss: owner.iss.as_str(),
            sub: owner.sub.as_str(),
        }),
        generation: Some(generation.as_str()),
        family: None,
        act: None,
        may_act: key.may_act.as_ref(),
        metadata: None,
    })
}

fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((PRAGMA, HeaderValue::from_static("no-cache")))
        .json(body)
}

fn refused(refusal: IntrospectionRefusal) -> Error {
    match refusal {
        IntrospectionRefusal::TooMany(wait) => {
            Error::too_many("too many tokens that are not good", wait)
        }
        IntrospectionRefusal::Store(error) => database(error).into(),
        IntrospectionRefusal::Provider(error) => provider(error).into(),
        IntrospectionRefusal::Internal(cause) => Problem::internal(cause).into(),
    }
}
