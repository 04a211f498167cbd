//! The management API's own conventions: whose token it is, what a broker's error becomes, and answers that are given again.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use super::access::{Caller, ManagementAuthenticator, Presented};
use super::code::Code;
use super::problem::Problem;
use crate::broker::idempotency::{Attempt, Keep, Keeper, KeptAnswer};
use crate::broker::{Broker, CallerError, Conflict, Error};
use crate::domain::audit::Origin;

/// Seconds after which a caller may try again what the database did not do.
const DATABASE_RETRY: u32 = 2;
/// Seconds after which a caller may try again what an identity provider did not do.
const PROVIDER_RETRY: u32 = 10;

impl ManagementAuthenticator for Broker {
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> LocalBoxFuture<'a, Result<Caller, Problem>> {
        Box::pin(async move {
            let origin: Origin = presented.facts.origin("");
            self.authenticate_caller(presented.unverified_token, &origin)
                .await
                .inspect_err(|error| presented.facts.reason(error.reason()))
                .map_err(|error| match error {
                    CallerError::Store(error) => {
                        Problem::database_unavailable(DATABASE_RETRY).with_cause(error)
                    }
                    CallerError::SignInUnavailable(error) => {
                        Problem::identity_provider_unavailable(PROVIDER_RETRY).with_cause(error)
                    }
                    CallerError::Provider(error) => {
                        Problem::identity_provider_unavailable(PROVIDER_RETRY).with_cause(error)
                    }
                    other => Problem::invalid_token().with_cause(other),
                })
        })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Forbidden(detail) => Self::forbidden(detail),
            Error::WouldWiden(detail) => Self::new(
                Code::WouldWiden,
                format!("that would give more than the caller holds: {detail}"),
            ),
            Error::BeyondGrantor(detail) => Self::new(
                Code::BeyondGrantor,
                format!("that would give more than the caller may give: {detail}"),
            ),
            Error::SelfRotateNotAllowed => Self::new(
                Code::SelfRotateNotAllowed,
                "the key does not have self_rotate set to true",
            ),
            Error::Retiring => Self::new(
                Code::ApiKeyRetiring,
                "only the newest key rotates; this one may only repeat its own call with the same Idempotency-Key",
            ),
            Error::Invalid { field, reason } => Self::invalid_parameter(field, reason),
            missing @ Error::NoSuchPermission { .. } => {
                Self::invalid_parameter("permissions", missing.to_string())
            }
            Error::Conflict(conflict) => conflict.into(),
            Error::Stale => Self::precondition_failed(),
            // It was given up for dead, and another call took its place.
            Error::Store(error) if error.conflicts_with("idempotency.id") => {
                Conflict::IdempotencyInProgress.into()
            }
            Error::Store(error) => database(error),
            Error::Provider(error) => {
                Self::identity_provider_unavailable(provider_retry(&error, PROVIDER_RETRY))
                    .with_cause(error)
            }
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

/// When to ask again what a provider did not do.
pub(super) fn provider_retry(error: &crate::idp::Error, otherwise: u32) -> u32 {
    match error {
        crate::idp::Error::Busy { retry_after } => u32::try_from(retry_after.as_secs())
            .unwrap_or(u32::MAX)
            .max(otherwise),
        _ => otherwise,
    }
}

/// An outage of the database is 503; what is wrong with a statement or a row is a defect, and 500.
pub(super) fn database(error: crate::store::Error) -> Problem {
    match error {
        crate::store::Error::Unavailable { .. } => {
            Problem::database_unavailable(DATABASE_RETRY).with_cause(error)
        }
        other => Problem::internal(other),
    }
}

/// An identity provider that does not answer, or is not configured.
pub(super) fn provider(error: std::sync::Arc<crate::idp::Error>) -> Problem {
    Problem::identity_provider_unavailable(PROVIDER_RETRY).with_cause(error)
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        let code = match conflict {
            Conflict::SlugTaken => Code::SlugTaken,
            Conflict::IdentifierTaken => Code::IdentifierTaken,
            Conflict::PermissionExists => Code::PermissionExists,
            Conflict::OrganizationNotEmpty | Conflict::OrganizationHasApplications(_) => {
                Code::OrganizationNotEmpty
            }
            Conflict::TooManyKeys(_) => Code::TooManyKeys,
            Conflict::RoleNameTaken => Code::RoleNameTaken,
            Conflict::RoleInUse(_) => Code::RoleInUse,
            Conflict::UserExists(_) => Code::UserExists,
            Conflict::UserInUse(_) => Code::UserInUse,
            Conflict::PermissionInUse(_) => Code::PermissionInUse,
            Conflict::ResourceInUse(_) => Code::ResourceInUse,
            Conflict::ApplicationInUse(_) => Code::ApplicationInUse,
            Conflict::SecretsUnused => Code::SecretsUnused,
            Conflict::TooManySecrets => Code::TooManySecrets,
            Conflict::ExchangeRuleExists => Code::ExchangeRuleExists,
            Conflict::ResourceReserved => Code::ResourceReserved,
            Conflict::KeyRevoked => Code::KeyRevoked,
            Conflict::KeyStatus(_) => Code::KeyNotActive,
            Conflict::KeyChanged => Code::KeyChanged,
            Conflict::TooManyOrphans(_) => Code::TooManyOrphans,
            Conflict::SecretInUse(_) => Code::SecretInUse,
            Conflict::SecretState(_) => Code::SecretState,
            Conflict::RootSecretGiven => Code::RootSecretGiven,
            Conflict::NoNextSigningKey(_) | Conflict::SigningKeyTooYoung(_) => {
                Code::NextKeyTooYoung
            }
            Conflict::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Conflict::IdempotencyInProgress => Code::IdempotencyInProgress,
            Conflict::IdempotencyAnswerGone => Code::IdempotencyAnswerGone,
        };
        let in_progress = conflict == Conflict::IdempotencyInProgress;
        let problem = Self::new(code, Cow::Owned(conflict.to_string()));
        if in_progress {
            problem.with_retry_after(1)
        } else {
            problem
        }
    }
}

/// An answer that is given again to whoever repeats the request: status, `Location`, `ETag` and a JSON body.
pub(super) fn kept<T: Serialize>(
    status: StatusCode,
    headers: Vec<(&str, String)>,
    body: &T,
) -> KeptAnswer {
    KeptAnswer {
        status: status.as_u16(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        // Answers are plain data with text keys, so they always have a JSON form.
        body: serde_json::to_string(body).unwrap_or_default(),
    }
}

/// The response of an answer. `no_store` for those that show a secret.
pub(super) fn respond(answer: KeptAnswer, no_store: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    if no_store {
        response.insert_header(("Cache-Control", "no-store"));
    }
    response.content_type("application/json").body(answer.body)
}

/// Runs a creation once for each Idempotency-Key: the first time for real, every other time by giving the same answer.
///
/// `run` gets what is to be kept of the outcome; `render` makes the answer of it.
pub(super) async fn once<T, F>(
    broker: &Broker,
    attempt: Option<Attempt>,
    render: &(dyn Fn(&T) -> KeptAnswer + Sync),
    run: F,
) -> Result<KeptAnswer, Problem>
where
    F: AsyncFnOnce(Option<Keep<'_, T>>) -> Result<T, Error>,
{
    let Some(mut attempt) = attempt else {
        return Ok(render(&run(None).await?));
    };
    if let Some(answer) = broker.begin(&mut attempt).await? {
        return Ok(answer);
    }
    match run(Some(Keep {
        attempt: &attempt,
        render,
    }))
    .await
    {
        Ok(outcome) => Ok(render(&outcome)),
        Err(error) => {
            broker.abandon(&attempt).await;
            Err(error.into())
        }
    }
}

/// The same for an outcome that only the transaction of the change knows, where the answer is kept then.
pub(super) async fn once_within<T, F>(
    broker: &Broker,
    attempt: Option<Attempt>,
    render: fn(&T) -> KeptAnswer,
    run: F,
) -> Result<KeptAnswer, Problem>
where
    F: AsyncFnOnce(Option<Keeper<T>>) -> Result<T, Problem>,
{
    let Some(mut attempt) = attempt else {
        return Ok(render(&run(None).await?));
    };
    if let Some(answer) = broker.begin(&mut attempt).await? {
        return Ok(answer);
    }
    match run(Some(broker.keeper(&attempt, render))).await {
        Ok(outcome) => Ok(render(&outcome)),
        Err(problem) => {
            broker.abandon(&attempt).await;
            Err(problem)
        }
    }
}
