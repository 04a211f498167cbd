//! A gateway's caller who holds a token of ours already: where the token is meant for the service, it goes on as it is; where it is
//! meant for the gateway, the service gets another one, made of it by the gateway's exchange rules; whoever brings any other is
//! nobody's caller here.
//!
//! A token is judged at every request by what it stands on now. One that says more than its subject still holds does not go on: the
//! service would believe it.

use std::net::IpAddr;
use std::sync::Arc;

use quick_cache::sync::Cache;
use thiserror::Error as ThisError;

use super::grant::{ExchangeRequest, GrantRefusal, GrantedToken, PresentedToken, TokenKind};
use super::token_life::{Holder, LifeError};
use super::{Broker, Client};
use crate::domain::audit::Origin;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId};
use crate::domain::scope::ScopeSet;
use crate::idp;
use crate::store;
use crate::token::claims::VerifiedClaims;
use crate::token::verify::{VerifiedToken, VerifyError};

/// Tokens made for gateways' callers that are kept at once, some 3 kB each.
const KEPT: usize = 10_000;

/// A request that a gateway asks about.
#[derive(Clone, Copy)]
pub struct AdmissionRequest<'a> {
    /// The resource behind the gateway.
    pub resource: &'a str,
    /// Scopes that the request needs there, separated by spaces; none: any.
    pub scope: Option<&'a str>,
}

/// A gateway that is known: the address of a trusted proxy, in front of which nobody else can have put himself.
pub struct TrustedGateway {
    /// The application that it is, by configuration: it shows no credential.
    pub application: ApplicationId,
    /// Where it asks from.
    pub address: IpAddr,
    /// For the record of trades.
    pub origin: Origin,
}

/// A token for the service, and whose it is.
pub struct Admitted {
    /// The token.
    pub access_token: Arc<str>,
    /// For how many seconds it is good.
    pub expires_in: i64,
    /// What it permits.
    pub scope: Arc<str>,
    /// The key that it stands for, if it is one.
    pub key_id: Option<KeyId>,
    /// The organization of its subject.
    pub organization_id: Option<OrganizationId>,
}

/// Why a caller is not let through.
#[derive(Debug, ThisError)]
pub enum AdmissionRefusal {
    /// Not a token of ours that is good now.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// It was revoked, or what it stands on was; or it says more than is left of it.
    #[error("the token does not count any more")]
    Dead,
    /// It permits less than the request needs.
    #[error("the token does not permit this")]
    InsufficientScope,
    /// It is meant for somebody else.
    #[error("the token is meant neither for the service nor for the gateway")]
    Anothers,
    /// The gateway is not an application that may do this, or it asks from elsewhere.
    #[error("forward_auth.application_id names no application that may trade from here")]
    NoGateway,
    /// The gateway gets no other token for it.
    #[error(transparent)]
    Trade(GrantRefusal),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider of the token's key is not configured.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
}

impl From<LifeError> for AdmissionRefusal {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Store(error) => Self::Store(error),
            LifeError::Provider(error) => Self::Provider(error),
        }
    }
}

impl AdmissionRefusal {
    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(error) => error.reason(),
            Self::Dead => "token_revoked",
            Self::InsufficientScope => "insufficient_scope",
            Self::Anothers => "wrong_audience",
            Self::NoGateway => "no_gateway_application",
            Self::Trade(refusal) => refusal.reason(),
            Self::Store(_) => "database_unavailable",
            Self::Provider(_) => "identity_provider_unavailable",
        }
    }
}

impl Broker {
    /// What the service behind a gateway gets for a token that the gateway's caller sent. Tokens for the gateway itself are taken only
    /// from one that is known.
    ///
    /// # Errors
    /// See [`AdmissionRefusal`].
    pub async fn admit_token(
        &self,
        token: &str,
        request: AdmissionRequest<'_>,
        gateway: Option<&TrustedGateway>,
    ) -> Result<Admitted, AdmissionRefusal> {
        self.catch_up().await?;
        let now = self.now();
        let verified = self.signing.load().verifier.verify_for_any(token, now)?;
        let [audience] = verified.claims.aud.as_slice() else {
            return Err(AdmissionRefusal::Anothers);
        };
        if audience == request.resource {
            return self.pass(token, &verified, request).await;
        }
        let gateway = gateway.ok_or(AdmissionRefusal::Anothers)?;
        let client = self.live_client(&gateway.application).await?;
        let client = client.ok_or(AdmissionRefusal::NoGateway)?;
        if !client.serves(audience) {
            return Err(AdmissionRefusal::Anothers);
        }
        if !client.admits(gateway.address) {
            return Err(AdmissionRefusal::NoGateway);
        }
        self.trade_for(&client, token, request, &gateway.origin)
            .await
    }

    /// The token itself, if it is still worth what it says.
    async fn pass(
        &self,
        token: &str,
        verified: &VerifiedToken,
        request: AdmissionRequest<'_>,
    ) -> Result<Admitted, AdmissionRefusal> {
        let claims = &verified.claims;
        let life = self.life(verified).await?.ok_or(AdmissionRefusal::Dead)?;
        if life.scope.is_empty() || life.scope != claims.scope {
            return Err(AdmissionRefusal::Dead);
        }
        if let Some(needed) = request.scope {
            let needed: ScopeSet = needed
                .parse()
                .map_err(|_| AdmissionRefusal::InsufficientScope)?;
            if !needed.is_subset(&life.scope) {
                return Err(AdmissionRefusal::InsufficientScope);
            }
        }
        Ok(self.admitted(token.into(), claims))
    }

    /// Another token, made of this one for the gateway, as [`Self::exchange_token`] makes it.
    async fn trade_for(
        &self,
        client: &Client,
        token: &str,
        request: AdmissionRequest<'_>,
        origin: &Origin,
    ) -> Result<Admitted, AdmissionRefusal> {
        let place = self.admitted_tokens.place(client, token, request);
        if let Some(kept) = self.admitted_tokens.find(&place, self.now().as_second()) {
            let life = self.life(&kept.verified).await?;
            let same = life.is_some_and(|life| {
                life.holder.is_same(&kept.holder) && life.scope == kept.verified.claims.scope
            });
            if same {
                return Ok(self.admitted(Arc::clone(&kept.token), &kept.verified.claims));
            }
        }
        let wanted = ExchangeRequest {
            subject: PresentedToken {
                token,
                kind: TokenKind::AccessToken,
                issuer: None,
            },
            actor: None,
            resource: Some(request.resource),
            scope: request.scope,
        };
        let granted = self.exchange_token(client, wanted, origin).await;
        let GrantedToken { access_token, .. } = granted.map_err(AdmissionRefusal::Trade)?;
        let now = self.now();
        let verified = self
            .signing
            .load()
            .verifier
            .verify_for_any(&access_token, now)?;
        let admitted = self.admitted(access_token.into(), &verified.claims);
        if self.admitted_tokens.keeps()
            && let Some(life) = self.life(&verified).await?
        {
            let kept = Kept {
                token: Arc::clone(&admitted.access_token),
                verified,
                holder: life.holder,
            };
            self.admitted_tokens.keep(place, kept);
        }
        Ok(admitted)
    }

    fn admitted(&self, access_token: Arc<str>, claims: &VerifiedClaims) -> Admitted {
        Admitted {
            access_token,
            expires_in: claims.exp.as_second() - self.now().as_second(),
            scope: claims.scope.to_string().into(),
            key_id: claims.sub.parse().ok(),
            organization_id: claims.org_id.as_deref().and_then(|id| id.parse().ok()),
        }
    }
}

/// A token made for a gateway's caller.
struct Kept {
    token: Arc<str>,
    verified: VerifiedToken,
    /// Whom it stands for, as he was read: whatever changes about him is read anew.
    holder: Holder,
}

/// Tokens made for gateways' callers a moment ago, for the same caller's next request (`forward_auth.reuse_seconds`).
pub(super) struct AdmittedTokens {
    seconds: i64,
    kept: Cache<Place, Arc<Kept>>,
}

/// Of what a token was made, by whom, and for what.
type Place = [u8; 32];

impl AdmittedTokens {
    /// Keeps tokens for `seconds`.
    pub(super) fn new(seconds: u32) -> Self {
        Self {
            seconds: seconds.into(),
            kept: Cache::new(KEPT),
        }
    }

    fn keeps(&self) -> bool {
        self.seconds > 0
    }

    fn place(&self, client: &Client, token: &str, request: AdmissionRequest<'_>) -> Place {
        let mut hasher = blake3::Hasher::new();
        // None of these texts has a line feed in it.
        for part in [
            client.id().as_str(),
            token,
            request.resource,
            request.scope.unwrap_or_default(),
        ] {
            hasher.update(part.as_bytes()).update(b"\n");
        }
        hasher.finalize().into()
    }

    fn find(&self, place: &Place, now: i64) -> Option<Arc<Kept>> {
        let kept = self.kept.get(place)?;
        let claims = &kept.verified.claims;
        let (iat, exp) = (claims.iat.as_second(), claims.exp.as_second());
        (now - iat < self.seconds.min((exp - iat) / 2)).then_some(kept)
    }

    fn keep(&self, place: Place, kept: Kept) {
        self.kept.insert(place, Arc::new(kept));
    }
}
