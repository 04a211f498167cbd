//! The grant of RFC 8693: a token is traded for another one, for the same subject.
//!
//! What is given is never more than the deployment's rules give, the traded token was enough for, the subject holds now, and was asked
//! for; it never outlives what it was made of. A client narrows tokens of its own without a rule and without a trace in them. Every other
//! trade is on record before it is answered, with all that the new token stands on ([`crate::broker::token_life`]).

mod act;
mod actor;
mod own;
mod record;

use crate::broker::{Broker, Client};
use crate::domain::audit::Origin;

pub(super) use self::act::Identity;

use super::{GrantRefusal, GrantedToken};

/// What a token is said to be (RFC 8693 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token: one of ours, or of the trusted issuer that is named beside it.
    AccessToken,
    /// An ID token of a trusted issuer.
    IdToken,
    /// A JWT of a trusted issuer.
    Jwt,
}

/// A token as it was sent.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    /// The token.
    pub token: &'a str,
    /// What it is said to be.
    pub kind: TokenKind,
    /// Whose it is said to be: an issuer identifier, or the name of a trusted issuer.
    pub issuer: Option<&'a str>,
}

/// What a client asks for. An empty text is as good as none.
#[derive(Clone, Copy)]
pub struct ExchangeRequest<'a> {
    /// The token that is traded.
    pub subject: PresentedToken<'a>,
    /// The token that tells who acts; without one the client does.
    pub actor: Option<PresentedToken<'a>>,
    /// The audience of the new token.
    pub resource: Option<&'a str>,
    /// Scopes, separated by spaces.
    pub scope: Option<&'a str>,
}

impl Broker {
    /// A token for the subject of another one, asked for by a client that has proven who it is.
    ///
    /// # Errors
    /// See [`GrantRefusal`].
    pub async fn exchange_token(
        &self,
        client: &Client,
        request: ExchangeRequest<'_>,
        origin: &Origin,
    ) -> Result<GrantedToken, GrantRefusal> {
        self.exchange_own(client, &request, origin).await
    }
}
