//! A gateway's caller who brings an access token of ours, in the few words that gateways know.

use super::{RETRY, Yes, in_few_words, lacks};
use crate::broker::{AdmissionRefusal, AdmissionRequest, Admitted, GrantRefusal, TrustedGateway};
use crate::domain::route_table::Requirement;
use crate::http::key_holder::Refuser;
use crate::http::management::database;
use crate::http::problem::Problem;
use crate::telemetry::metrics::Refusal as Reason;

const LACKS: &str = "the token does not permit this request";

/// What the service gets for the caller's token.
pub(super) async fn admit(
    token: &str,
    required: &Requirement,
    gateway: Option<&TrustedGateway>,
    refuser: &Refuser<'_>,
) -> Result<Yes, Problem> {
    let facts = refuser.facts;
    let request = AdmissionRequest {
        resource: &required.resource,
        scope: required.scope.as_deref(),
    };
    match refuser.broker.admit_token(token, request, gateway).await {
        Ok(admitted) => {
            if let Some(key) = admitted.key_id {
                facts.key(key);
            }
            if let Some(organization) = admitted.organization_id {
                facts.organization(organization);
            }
            Ok(admitted.into())
        }
        Err(refusal) => {
            facts.reason(refusal.reason());
            Err(in_few_words(refuse(refusal, required, refuser)))
        }
    }
}

impl From<Admitted> for Yes {
    fn from(admitted: Admitted) -> Self {
        let text = |id: Option<String>| id.unwrap_or_default();
        Self {
            access_token: admitted.access_token,
            expires_in: admitted.expires_in,
            scope: admitted.scope,
            key_id: text(admitted.key_id.map(|id| id.to_string())),
            organization_id: text(admitted.organization_id.map(|id| id.to_string())),
            rate_limit: None,
        }
    }
}

fn refuse(refusal: AdmissionRefusal, required: &Requirement, refuser: &Refuser<'_>) -> Problem {
    use AdmissionRefusal as Why;
    let metrics = refuser.broker.metrics();
    match refusal {
        Why::Token(_) | Why::Dead | Why::Anothers => {
            metrics.refused(Reason::InvalidToken);
            Problem::invalid_token().with_cause(refusal)
        }
        Why::NoGateway => {
            metrics.refused(Reason::InvalidTarget);
            super::requirement::misconfigured(
                "forward_auth.application_id names no application that may trade tokens from this gateway",
            )
        }
        Why::InsufficientScope => {
            metrics.refused(Reason::InvalidScope);
            lacks(required, refuser, LACKS)
        }
        Why::Trade(refusal) => trade(refusal, required, refuser),
        Why::Store(error) => {
            metrics.refused(Reason::Unavailable);
            database(error)
        }
        Why::Provider(error) => {
            metrics.refused(Reason::Unavailable);
            Problem::identity_provider_unavailable(RETRY).with_cause(error)
        }
    }
}

fn trade(refusal: GrantRefusal, required: &Requirement, refuser: &Refuser<'_>) -> Problem {
    use GrantRefusal as Why;
    let metrics = refuser.broker.metrics();
    match refusal {
        Why::Subject(_) | Why::Actor(_) => {
            metrics.refused(Reason::InvalidToken);
            Problem::invalid_token().with_cause(refusal)
        }
        Why::InvalidTarget { .. }
        | Why::InvalidScope
        | Why::SubjectLacksScope
        | Why::MayNotAct
        | Why::ActorNotTaken
        | Why::TooManyActors
        | Why::TooManyTrades
        | Why::NoRules => {
            metrics.refused(Reason::InvalidScope);
            lacks(required, refuser, LACKS).with_cause(refusal)
        }
        Why::Store(error) => {
            metrics.refused(Reason::Unavailable);
            database(error)
        }
        Why::Provider(error) => {
            metrics.refused(Reason::Unavailable);
            Problem::identity_provider_unavailable(RETRY).with_cause(error)
        }
        Why::NoSigningKey(cause) => {
            metrics.refused(Reason::Unavailable);
            Problem::signing_key_unavailable(RETRY).with_cause(cause)
        }
    }
}
