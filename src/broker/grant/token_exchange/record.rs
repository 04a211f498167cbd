//! Trades on record: each with what it was made of, and in the audit trail, before it is answered; the refused ones too, as far as it
//! is known who was refused what.

use serde_json::json;

use crate::broker::grant::{GrantRefusal, NewToken};
use crate::broker::{Broker, Client, audit};
use crate::domain::audit::Origin;
use crate::domain::id::OrganizationId;
use crate::store;
use crate::store::exchanged_tokens::{self, ActorToken, ExchangedToken, MadeOf};

impl Broker {
    /// Writes down a trade that gave a token.
    pub(super) async fn record_trade(
        &self,
        trade: ExchangedToken,
        new: &NewToken<'_>,
        origin: &Origin,
    ) -> Result<(), store::Error> {
        let input = match &trade.subject {
            MadeOf::Own { jti, audience, .. } => json!({"jti": jti, "aud": audience}),
            MadeOf::Outside { issuer, rules } => json!({"issuer": issuer, "rules": rules}),
        };
        let actor = match &trade.actor {
            None => None,
            Some(ActorToken::Own { jti, subject, .. }) => Some(json!({"jti": jti, "sub": subject})),
            Some(ActorToken::Outside { issuer }) => Some(json!({"issuer": issuer})),
        };
        let details = json!({
            "client": trade.client_id, "input": input, "actor_token": actor, "act": new.act, "rule": trade.rule,
            "jti": trade.jti, "aud": new.resource.identifier, "scope": new.scopes.to_string(), "owner": new.owner,
        });
        let organization: Option<OrganizationId> = new.org_id.and_then(|id| id.parse().ok());
        let event = self.event(origin, "token.exchanged", new.sub, organization, details);
        self.store
            .write(move |tx| {
                exchanged_tokens::insert(tx, &trade)?;
                audit::append(tx, &event)
            })
            .await
    }

    /// Writes down that a client that is known was refused to trade a token that is ours; so many of one client in a minute.
    pub(super) async fn note_refused_trade(
        &self,
        client: &Client,
        subject: &str,
        refusal: &GrantRefusal,
        origin: &Origin,
    ) {
        let is_outage = matches!(
            refusal,
            GrantRefusal::Store(_) | GrantRefusal::Provider(_) | GrantRefusal::NoSigningKey(_)
        );
        if is_outage || self.refused_trades.take(client.id().packed()).is_err() {
            return;
        }
        let event = self.event(
            origin,
            "token.exchange_refused",
            subject,
            client.organization_id(),
            json!({"client": client.id(), "reason": refusal.reason()}),
        );
        let noted = self.store.write(move |tx| audit::append(tx, &event)).await;
        if let Err(error) = noted {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a refused exchange could not be put on record"
            );
        }
    }
}
