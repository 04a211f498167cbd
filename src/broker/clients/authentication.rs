//! A client proves who it is: by a secret, or by an assertion that is good once.
//!
//! Failures are counted by address and by client, and beyond a number of them answered with a pause. Whoever proves who he is neither
//! counts there nor feels it, so nobody can lock out another. An unknown client costs the time of a known one with a wrong secret.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error as ThisError;

use super::Client;
use crate::broker::Broker;
use crate::broker::secrets::PurposeSecrets;
use crate::domain::application::TokenEndpointAuthMethod;
use crate::domain::client_secret::UnverifiedSecret;
use crate::domain::id::ApplicationId;
use crate::domain::password::PasswordDigest;
use crate::store::{self, assertions};
use crate::token::client_assertion::{self, AssertionRules};
use crate::token::outside::OutsideError;

/// What a client brings, as it was sent.
#[derive(Clone, Copy)]
pub enum ClientCredentials<'a> {
    /// Id and secret by HTTP Basic.
    Basic {
        /// The `client_id`.
        client_id: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// Id and secret in the body.
    Post {
        /// The `client_id`.
        client_id: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// A JWT.
    Assertion {
        /// The `client_id`, where it is named beside.
        client_id: Option<&'a str>,
        /// The JWT.
        assertion: &'a str,
    },
}

/// Why a client is not let in. To the client each of the first is the same `invalid_client`.
#[derive(Debug, ThisError)]
pub enum ClientRefusal {
    /// No such client.
    #[error("unknown client")]
    Unknown,
    /// Not one of its secrets.
    #[error("wrong client secret")]
    WrongSecret,
    /// Not the way in which this client proves who it is.
    #[error("the client does not authenticate in this way")]
    Method,
    /// The assertion is not good.
    #[error("the client assertion is not good")]
    Assertion(#[source] OutsideError),
    /// The assertion was used before.
    #[error("the client assertion was used before")]
    Replayed,
    /// It, or its organization, is paused.
    #[error("the client is disabled")]
    Disabled,
    /// From outside the networks that it allows.
    #[error("the client is not allowed from this address")]
    AddressNotAllowed,
    /// Too many failures from this address, or for this client; seconds to wait.
    #[error("too many failures")]
    TooManyFailures(u32),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl ClientRefusal {
    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_client",
            Self::WrongSecret => "wrong_client_secret",
            Self::Method => "wrong_client_authentication_method",
            Self::Assertion(_) => "wrong_client_assertion",
            Self::Replayed => "client_assertion_replayed",
            Self::Disabled => "client_disabled",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::TooManyFailures(_) => "too_many_failures",
            Self::Store(_) => "database_unavailable",
        }
    }

    /// Whether it is somebody's who does not prove who he is.
    fn counts(&self) -> bool {
        matches!(
            self,
            Self::Unknown | Self::WrongSecret | Self::Method | Self::Assertion(_) | Self::Replayed
        )
    }
}

impl Broker {
    /// Whose credentials they are.
    ///
    /// # Errors
    /// See [`ClientRefusal`].
    pub async fn authenticate_client(
        &self,
        credentials: ClientCredentials<'_>,
        address: IpAddr,
    ) -> Result<Arc<Client>, ClientRefusal> {
        let named = match credentials {
            ClientCredentials::Basic { client_id, .. }
            | ClientCredentials::Post { client_id, .. } => client_id.parse().ok(),
            ClientCredentials::Assertion {
                client_id,
                assertion,
            } => match client_id {
                Some(client_id) => client_id.parse().ok(),
                None => client_assertion::unverified_client(assertion)
                    .and_then(|client_id| client_id.parse().ok()),
            },
        };
        let proven = self
            .prove_client(named.as_ref(), credentials, address)
            .await;
        let refusal = match proven {
            Ok(client) if client.disabled => return Err(ClientRefusal::Disabled),
            Ok(client) if !client.admits(address) => return Err(ClientRefusal::AddressNotAllowed),
            Ok(client) => return Ok(client),
            Err(refusal) => refusal,
        };
        if !refusal.counts() {
            return Err(refusal);
        }
        let by_address = self.bad_clients.take(address);
        let by_client = named.map_or(Ok(()), |id| self.client_failures.take(id.packed()));
        match by_address.and(by_client) {
            Ok(()) => Err(refusal),
            Err(wait) => Err(ClientRefusal::TooManyFailures(wait)),
        }
    }

    async fn prove_client(
        &self,
        named: Option<&ApplicationId>,
        credentials: ClientCredentials<'_>,
        address: IpAddr,
    ) -> Result<Arc<Client>, ClientRefusal> {
        let client = match named {
            None => None,
            Some(id) => match self.recall_client(id) {
                Some(client) => Some(client),
                None => self.look_up_client(id, address).await?,
            },
        };
        match credentials {
            ClientCredentials::Basic { secret, .. } => {
                let basic = TokenEndpointAuthMethod::ClientSecretBasic;
                self.prove_secret(client, basic, secret).await
            }
            ClientCredentials::Post { secret, .. } => {
                let post = TokenEndpointAuthMethod::ClientSecretPost;
                self.prove_secret(client, post, secret).await
            }
            ClientCredentials::Assertion { assertion, .. } => {
                let client = client.ok_or(ClientRefusal::Unknown)?;
                self.prove_assertion(&client, assertion).await?;
                Ok(client)
            }
        }
    }

    /// Reads what is not in memory; for an address whose look-ups found nothing too often, not before it has waited.
    async fn look_up_client(
        &self,
        id: &ApplicationId,
        address: IpAddr,
    ) -> Result<Option<Arc<Client>>, ClientRefusal> {
        self.client_lookups
            .check(address)
            .map_err(ClientRefusal::TooManyFailures)?;
        let found = self.read_client(*id).await?;
        if found.is_none() {
            self.client_lookups.found_nothing(address);
        }
        Ok(found)
    }

    async fn prove_secret(
        &self,
        client: Option<Arc<Client>>,
        method: TokenEndpointAuthMethod,
        presented: &str,
    ) -> Result<Arc<Client>, ClientRefusal> {
        let parsed = UnverifiedSecret::parse(presented);
        let secret = parsed.unwrap_or(UnverifiedSecret::nobodys());
        let Some(client) = client else {
            // As long as it takes where there is such a client.
            let held = self.secrets.load();
            let nobody = ApplicationId::generate(&*self.random);
            let digest = held.current_digest().1.client_digest(&nobody, secret);
            let _ = digest.matches(&digest);
            return Err(ClientRefusal::Unknown);
        };
        let held = self.secrets.load_full();
        let now = self.now();
        let live = || client.secrets.iter().filter(|secret| secret.lives(now));
        let mut proven = holds(&held, &client, secret, live());
        if proven.is_none() {
            // One was made by another node with a digest secret that is not known here yet.
            let newer = self.newer_secrets().await?;
            proven = Some(holds(&newer, &client, secret, live()).unwrap_or(false));
        }
        if parsed.is_none() || proven != Some(true) {
            return Err(ClientRefusal::WrongSecret);
        }
        match client.method {
            None => Ok(client),
            Some(only) if only == method => Ok(client),
            Some(_) => Err(ClientRefusal::Method),
        }
    }

    async fn prove_assertion(&self, client: &Client, assertion: &str) -> Result<(), ClientRefusal> {
        let keys = client.keys.as_ref().ok_or(ClientRefusal::Method)?;
        if client.method != Some(TokenEndpointAuthMethod::PrivateKeyJwt) {
            return Err(ClientRefusal::Method);
        }
        let issuer = self.issuer().as_str();
        let endpoint = format!("{issuer}/oauth/token");
        let rules = AssertionRules {
            client_id: client.id.as_str(),
            issuer,
            legacy_audience: client
                .legacy_assertion_audience
                .then_some(endpoint.as_str()),
        };
        let now = self.now();
        let good = client_assertion::verify(keys, assertion, &rules, now)
            .map_err(ClientRefusal::Assertion)?;
        // The database is what all nodes share: who comes second there comes second everywhere.
        let id = assertions::name(&client.id, &good.jti);
        let until = good.usable_until;
        let used = self
            .store
            .write(move |tx| assertions::use_once(tx, &id, until));
        match used.await {
            Err(error) if error.conflicts_with("used_assertions.id") => {
                Err(ClientRefusal::Replayed)
            }
            used => Ok(used?),
        }
    }
}

/// Whether a secret is one of these. `None`: it is none of those that can be compared, and one cannot be.
fn holds<'a>(
    held: &PurposeSecrets,
    client: &Client,
    presented: UnverifiedSecret<'_>,
    secrets: impl Iterator<Item = &'a crate::domain::application::StoredSecret>,
) -> Option<bool> {
    let (mut matches, mut unknown) = (false, false);
    let mut digested: Option<(i32, PasswordDigest)> = None;
    for secret in secrets {
        let generation = secret.digest_generation;
        let digest = match digested {
            Some((of, digest)) if of == generation => digest,
            _ => match held.digest(generation) {
                Some(made_with) => made_with.client_digest(&client.id, presented),
                None => {
                    unknown = true;
                    continue;
                }
            },
        };
        digested = Some((generation, digest));
        // No early exit: how many there are is no secret, which of them matches is.
        matches |= secret.digest.matches(&digest);
    }
    if matches || !unknown {
        Some(matches)
    } else {
        None
    }
}
