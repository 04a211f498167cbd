//! `/v1/secrets`: kagiya's own secrets, as their operator sees and replaces them. No secret is ever in an answer.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Call;
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{ListedSecret, RootChange, SecretLeak};
use crate::domain::purpose::SecretPurpose;
use crate::domain::sealed::RootSecret;
use crate::domain::secret::SecretBytes;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{OptionalJson, OptionalRawJson};
use crate::http::management::{kept, once_within, respond};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};
use crate::store::secrets::KeyOn;

/// One generation of a secret; never the secret itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret, example = json!({
    "purpose": "tag", "generation": 1, "state": "current", "created_at": "2026-11-22T09:00:00Z",
    "changed_at": "2026-11-22T09:00:04Z", "usable_from": null, "needed_by": 1204,
}))]
pub struct SecretBody {
    /// What it is for: `tag`, `digest`, `provider`, `sealing`, `cookies` or `audit`.
    #[schema(value_type = String)]
    purpose: &'static str,
    /// Its number.
    generation: i32,
    /// `announced` (makes nothing yet), `current` (makes new things), `retired` (verifies what was made with it) or `leaked` (as retired,
    /// and known to others).
    #[schema(value_type = String)]
    state: &'static str,
    /// Since when it is on record.
    created_at: Timestamp,
    /// Since when it is in its state.
    changed_at: Timestamp,
    /// Of an announced one: from when on it makes new things.
    #[schema(required)]
    usable_from: Option<Timestamp>,
    /// How many keys that live need it; of `sealing`, how many things are sealed with it; of `audit`, how many chains of the trail.
    needed_by: i64,
}

impl From<ListedSecret> for SecretBody {
    fn from(secret: ListedSecret) -> Self {
        Self {
            purpose: secret.purpose.as_str(),
            generation: secret.generation,
            state: secret.state.as_str(),
            created_at: secret.created_at,
            changed_at: secret.changed_at,
            usable_from: secret.usable_from,
            needed_by: secret.needed_by,
        }
    }
}

/// A key that still needs a secret.
#[derive(Serialize, ToSchema)]
pub struct KeyOnSecret {
    /// The key's id.
    id: String,
    /// What people call it.
    name: String,
    /// Its tenant.
    organization_id: String,
    /// Since when it exists.
    created_at: Timestamp,
}

impl From<KeyOn> for KeyOnSecret {
    fn from(key: KeyOn) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            organization_id: key.organization_id.to_string(),
            created_at: key.created_at,
        }
    }
}

/// How a secret is to be rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"leaked": true}))]
pub struct RotateSecret {
    /// The old one is known to others: it is marked so, and the new one is used at once.
    leaked: bool,
    /// Which one leaked, where that is not the current one: an older one is only marked.
    generation: Option<i32>,
}

/// Which secrets are to be dropped.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"generation": 0}))]
pub struct RetireSecret {
    /// Only this one; without it, all that are used no more.
    generation: Option<i32>,
}

/// How the root secret is to be replaced: without a member by the server, which keeps it itself; otherwise one step of it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": "finish"}))]
pub struct RotateRoot {
    /// The first step, where the operator keeps the root secret: the database opens with this one too. At least 32 bytes.
    #[schema(value_type = Option<String>)]
    new_root_secret: Option<NewRootSecret>,
    /// `finish`: the old one opens nothing any more. `cancel`: the new one does not.
    #[schema(value_type = Option<String>)]
    step: Option<RootStep>,
}

/// A root secret in a body.
pub struct NewRootSecret(SecretBytes);

impl<'de> Deserialize<'de> for NewRootSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(SecretBytes::new(text.into_bytes())))
    }
}

/// A later step of replacing the root secret.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RootStep {
    /// Drop the old one.
    Finish,
    /// Drop the new one.
    Cancel,
}

/// What became of the root secret.
#[derive(Serialize, ToSchema)]
pub struct RootAnswer {
    /// `begun`: the database opens with the old one and with the new one. `done`: with one alone.
    #[schema(value_type = String)]
    state: &'static str,
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

/// List secrets
///
/// Every generation of every purpose, newest first, with what still needs it. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/secrets", tag = "secrets", params(ListSecrets),
    responses((status = 200, description = "A page of secrets", body = Page<SecretBody>)),
)]
pub async fn list_secrets(
    call: Call,
    Query(query): Query<ListSecrets>,
) -> Result<web::Json<Page<SecretBody>>, Problem> {
    let secrets = call.broker.listed_secrets(None, &call.caller).await?;
    let behind = secrets
        .into_iter()
        .skip_while(|secret| {
            let cursor = query.cursor.as_ref();
            cursor.is_some_and(|cursor| !is_behind(secret, cursor))
        })
        .take(query.limit.rows_and_one());
    let page = Page::cut(behind.collect(), query.limit, place);
    Ok(web::Json(page.map(SecretBody::from)))
}

/// Rotate a secret
///
/// A new one is announced, and makes new things when every server knows it: at once with SQLite or if the old one leaked. What was made
/// with the old one goes on working. Only for the deployment's operator. With an `Idempotency-Key` the request can be repeated: it gives
/// the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/secrets/{purpose}/rotate", tag = "secrets",
    params(
        ("purpose" = String, Path, description = "`tag`, `digest`, `provider`, `sealing`, `cookies` or `audit`."),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated."),
    ),
    request_body = Option<RotateSecret>,
    responses((status = 200, description = "The secrets of this purpose as they are now", body = Page<SecretBody>)),
)]
pub async fn rotate_secret(
    call: Call,
    _: NoQuery,
    Id(purpose): Id<SecretPurpose>,
    key: OptionalIdempotencyKey,
    body: OptionalRawJson<RotateSecret>,
) -> Result<HttpResponse, Problem> {
    let place = format!("POST /v1/secrets/{purpose}/rotate");
    let attempt = call.attempt(key, &place, &body.bytes);
    let body = body.value;
    if body.generation.is_some() && !body.leaked {
        return Err(Problem::invalid_parameter(
            "generation",
            "names the one that leaked: send leaked too",
        ));
    }
    let leak = SecretLeak {
        leaked: body.leaked,
        generation: body.generation,
    };
    let render = |secrets: &Vec<_>| shown_whole(secrets);
    let answer = once_within(&call.broker, attempt, render, async |keep| {
        let by = (&call.caller, call.origin());
        let rotated = call.broker.rotate_secret(purpose, leak, by, keep);
        Ok(rotated.await?)
    });
    Ok(respond(answer.await?, false))
}

/// Drop secrets that nothing needs
///
/// Those of this purpose that are used no more, a minute after they were replaced at the earliest. While a key that lives needs one, the
/// answer is 409 `secret_in_use` with the number. Only for the deployment's operator.
#[utoipa::path(
    post, path = "/v1/secrets/{purpose}/retire", tag = "secrets",
    params(("purpose" = String, Path, description = "`tag`, `digest`, `provider`, `sealing`, `cookies` or `audit`.")),
    request_body = Option<RetireSecret>,
    responses((status = 200, description = "The secrets of this purpose that are left", body = Page<SecretBody>)),
)]
pub async fn retire_secret(
    call: Call,
    _: NoQuery,
    Id(purpose): Id<SecretPurpose>,
    OptionalJson(body): OptionalJson<RetireSecret>,
) -> Result<web::Json<Page<SecretBody>>, Problem> {
    let retired = call
        .broker
        .retire_secret(purpose, body.generation, &call.caller, call.origin());
    Ok(whole(retired.await?))
}

/// List the keys that need a secret
///
/// Newest first: those with a generation that was made with it and has not ended. Of `tag`, `digest` and `provider`; nothing else is made
/// for keys. Only for the deployment's operator.
#[utoipa::path(
    get, path = "/v1/secrets/{purpose}/{generation}/keys", tag = "secrets",
    params(
        ("purpose" = String, Path, description = "`tag`, `digest` or `provider`."),
        ("generation" = i32, Path, description = "The secret's number."),
        ListSecrets,
    ),
    responses((status = 200, description = "A page of keys", body = Page<KeyOnSecret>)),
)]
pub async fn list_keys_on_secret(
    call: Call,
    Ids(purpose, generation): Ids<SecretPurpose, i32>,
    Query(query): Query<ListSecrets>,
) -> Result<web::Json<Page<KeyOnSecret>>, Problem> {
    let (after, limit) = (query.cursor.map(Into::into), query.limit);
    let keys = call
        .broker
        .keys_on_secret(
            (purpose, generation),
            &call.caller,
            after,
            limit.rows_and_one(),
        )
        .await?;
    let page = Page::cut(keys, limit, |key| Cursor {
        created_at: key.created_at,
        id: key.id.to_string(),
    });
    Ok(web::Json(page.map(KeyOnSecret::from)))
}

/// Replace the root secret
///
/// Everything that it seals is sealed anew; no key, token or caller notices. A server that made the root secret itself, in its data
/// folder, replaces it in one call. Where the operator gives it, it takes two calls and a new start of every server between them, and
/// a call without a member answers 409 `root_secret_given` with these steps. Only for the deployment's operator. With an
/// `Idempotency-Key` each call can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/secrets/root/rotate", tag = "secrets",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = Option<RotateRoot>,
    responses((status = 200, description = "How far it is", body = RootAnswer)),
)]
pub async fn rotate_root(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: OptionalRawJson<RotateRoot>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/secrets/root/rotate", &body.bytes);
    let body = body.value;
    let change = match (body.new_root_secret, body.step) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_parameter(
                "step",
                "comes after new_root_secret, not with it",
            ));
        }
        (Some(NewRootSecret(new)), None) => {
            RootChange::Begin(RootSecret::new(new).map_err(|error| {
                Problem::invalid_parameter("new_root_secret", error.to_string())
            })?)
        }
        (None, Some(RootStep::Finish)) => RootChange::Finish,
        (None, Some(RootStep::Cancel)) => RootChange::Cancel,
        (None, None) => RootChange::Whole,
    };
    let answer = once_within(&call.broker, attempt, root_answer, async |keep| {
        let by = (&call.caller, call.origin());
        Ok(call.broker.change_root(change, by, keep).await?)
    });
    Ok(respond(answer.await?, false))
}

fn root_answer(done: &bool) -> KeptAnswer {
    let state = if *done { "done" } else { "begun" };
    kept(StatusCode::OK, Vec::new(), &RootAnswer { state })
}

fn shown_whole(secrets: &[ListedSecret]) -> KeptAnswer {
    kept(StatusCode::OK, Vec::new(), &whole(secrets.to_owned()).0)
}

fn whole(secrets: Vec<ListedSecret>) -> web::Json<Page<SecretBody>> {
    web::Json(Page {
        items: secrets.into_iter().map(SecretBody::from).collect(),
        next_cursor: None,
    })
}

fn place(secret: &ListedSecret) -> Cursor {
    Cursor {
        created_at: secret.created_at,
        id: format!("{}:{}", secret.generation, secret.purpose),
    }
}

/// Whether a secret comes behind a place in the list, whose order this is.
fn is_behind(secret: &ListedSecret, cursor: &Cursor) -> bool {
    let parsed = cursor.id.split_once(':');
    let of_cursor = parsed.and_then(|(generation, purpose)| {
        Some((generation.parse::<i32>().ok()?, purpose.parse().ok()?))
    });
    let Some((generation, purpose)) = of_cursor else {
        return false;
    };
    let newest_first = |at: Timestamp, generation: i32, purpose: SecretPurpose| {
        (std::cmp::Reverse((at, generation)), purpose)
    };
    newest_first(secret.created_at, secret.generation, secret.purpose)
        > newest_first(cursor.created_at, generation, purpose)
}
