//! The authorization code flow (OpenID Connect Core §3.1) with PKCE (RFC 7636), state, nonce, and the issuer in the answer
//! (RFC 9207): where a browser is sent, and what its code is worth when it comes back.
//!
//! Tokens stay here: what comes out is who somebody is and what the provider says of him.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{FetchError, SignIn, SignInError};
use crate::domain::secret::SecretText;
use crate::domain::subject::Subject;
use crate::idp::outbound::{Body, Call, Credential, OutboundError};
use crate::idp::remote_keys::Discovery;
use crate::token::id_token::IdTokenRules;

/// The longest word of a provider for its refusal that is repeated.
const LONGEST_WORD: usize = 64;

/// What belongs to one attempt to sign in.
pub struct Secrets<'a> {
    /// Comes back with the browser.
    pub state: &'a SecretText,
    /// Comes back in the ID token.
    pub nonce: &'a SecretText,
    /// Shows that whoever trades the code is who asked for it.
    pub verifier: &'a SecretText,
}

/// Who signed in.
#[derive(Debug)]
pub struct SignedInPerson {
    /// Who he is.
    pub subject: Subject,
    /// All that the provider says of him, in the ID token and beside it.
    pub claims: Map<String, Value>,
}

impl SignedInPerson {
    /// What the provider calls him.
    pub fn name(&self) -> Option<&str> {
        ["name", "preferred_username", "email"]
            .into_iter()
            .filter_map(|claim| self.claims.get(claim).and_then(Value::as_str))
            .map(str::trim)
            .find(|name| !name.is_empty())
    }
}

impl SignIn {
    /// Where the browser is sent.
    ///
    /// # Errors
    /// The provider does not answer, or says nothing of where that is.
    pub async fn authorization_url(
        &self,
        redirect_uri: &str,
        secrets: &Secrets<'_>,
        language: &str,
    ) -> Result<Url, SignInError> {
        let known = self.keys.discovery().await?;
        let endpoint = known.authorization_endpoint;
        let mut url = endpoint.ok_or(SignInError::Answer("no authorization_endpoint"))?;
        let safe = url.scheme() == "https" || self.issuer().starts_with("http://");
        if !safe || url.cannot_be_a_base() {
            return Err(SignInError::Answer("authorization_endpoint"));
        }
        let challenge = digest(&SHA256, secrets.verifier.expose().as_bytes());
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.client.scopes.join(" "))
            .append_pair("state", secrets.state.expose())
            .append_pair("nonce", secrets.nonce.expose())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            .append_pair("ui_locales", language);
        Ok(url)
    }

    /// Whether the issuer that an answer names is the one that was asked (RFC 9207 §2.4): one that says that it names itself must.
    ///
    /// # Errors
    /// When it is not, or that cannot be found out.
    pub async fn check_issuer_of_answer(&self, named: Option<&str>) -> Result<(), SignInError> {
        let known = self.keys.discovery().await?;
        let must = known.authorization_response_iss_parameter_supported;
        match named {
            Some(named) if named == self.issuer() => Ok(()),
            None if !must => Ok(()),
            _ => Err(SignInError::Answer("iss")),
        }
    }

    /// What a code is worth.
    ///
    /// # Errors
    /// The provider refuses it or does not answer, or what it answers is not good.
    pub async fn redeem(
        &self,
        code: &SecretText,
        redirect_uri: &str,
        secrets: &Secrets<'_>,
    ) -> Result<SignedInPerson, SignInError> {
        let known = self.keys.discovery().await?;
        let tokens = self.trade(&known, code, redirect_uri, secrets).await?;
        let access_token = SecretText::new(tokens.access_token);
        let id_token = SecretText::new(tokens.id_token.ok_or(SignInError::Answer(
            "no id_token; is the scope openid asked for?",
        ))?);
        let rules = IdTokenRules {
            issuer: &self.rules.issuer,
            client_id: &self.client.id,
            other_audiences: &self.rules.clients,
            nonce: secrets.nonce,
            access_token: &access_token,
        };
        let (subject, mut claims) = self
            .keys
            .check(|keys, now| keys.verify_id_token(id_token.expose(), &rules, now))
            .await?;
        if let Some(place) = &known.userinfo_endpoint {
            let further = self.user_info(place, &access_token).await?;
            // OpenID Connect Core §5.3.2: of another person it must not be used.
            if further.get("sub").and_then(Value::as_str) != Some(subject.sub.as_str()) {
                return Err(SignInError::Answer("sub of the user information"));
            }
            for (name, value) in further {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(SignedInPerson { subject, claims })
    }

    async fn trade(
        &self,
        known: &Discovery,
        code: &SecretText,
        redirect_uri: &str,
        secrets: &Secrets<'_>,
    ) -> Result<Tokens, SignInError> {
        let endpoint = known.token_endpoint.as_ref();
        let endpoint = endpoint.ok_or(SignInError::Answer("no token_endpoint"))?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", secrets.verifier.expose()),
        ];
        let secret = self.client.secret.as_ref();
        let methods = known.token_endpoint_auth_methods_supported.as_deref();
        // OpenID Connect Discovery §3: where nothing is said, Basic is meant.
        let basic = methods.is_none_or(|methods| {
            let offers = |name: &str| methods.iter().any(|method| method == name);
            offers("client_secret_basic") || !offers("client_secret_post")
        });
        let credential = match secret {
            Some(secret) if basic => Credential::Basic(&self.client.id, secret),
            Some(secret) => {
                fields.push(("client_id", &self.client.id));
                fields.push(("client_secret", secret.expose()));
                Credential::None
            }
            None => {
                fields.push(("client_id", &self.client.id));
                Credential::None
            }
        };
        let call = Call {
            method: Method::POST,
            place: endpoint.clone(),
            credential,
            header: None,
            body: Body::Form(&fields),
        };
        let reply = self.outbound.call(&call).await.map_err(unavailable)?;
        match reply.status {
            200 => {}
            400 | 401 | 403 => return Err(SignInError::Refused(word(&reply.body))),
            status => return Err(unavailable(OutboundError::Status(status))),
        }
        serde_json::from_slice(&reply.body).map_err(|_| SignInError::Answer("the tokens"))
    }

    async fn user_info(
        &self,
        place: &Url,
        token: &SecretText,
    ) -> Result<Map<String, Value>, SignInError> {
        let call = Call {
            method: Method::GET,
            place: place.clone(),
            credential: Credential::Bearer(token),
            header: None,
            body: Body::None,
        };
        let reply = self.outbound.call(&call).await.map_err(unavailable)?;
        if reply.status != 200 {
            return Err(unavailable(OutboundError::Status(reply.status)));
        }
        let body = reply.body;
        serde_json::from_slice(&body).map_err(|_| SignInError::Answer("the user information"))
    }
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
}

fn unavailable(error: OutboundError) -> SignInError {
    SignInError::Unavailable(Arc::new(FetchError::from(error)))
}

/// The provider's `error` (RFC 6749 §5.2), if it is a plain word.
fn word(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = body["error"].as_str().unwrap_or_default();
    plain(word).unwrap_or("no reason").to_owned()
}

/// A word of the provider's that may be repeated in a log.
pub fn plain(word: &str) -> Option<&str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let fits = !word.is_empty() && word.len() <= LONGEST_WORD && word.bytes().all(letter);
    fits.then_some(word)
}
