//! People sign in at the configured provider.
//!
//! An attempt belongs to one browser: a cookie holds its secret, sealed, and state, nonce and the PKCE verifier are made of that secret
//! with one of ours. So nothing is written until the browser comes back, and then the attempt is used up: a state that is unknown,
//! that came before, or that another browser began opens no session (RFC 9700 §4.7).

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::passkeys::UsedAttempt;
use super::{OpenedSession, SignInFailure, Visitor};
use crate::broker::{Broker, Error};
use crate::domain::audit::Origin;
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::secret::SecretText;
use crate::domain::sign_in::SignInMethod;
use crate::domain::text;
use crate::domain::user::User;
use crate::idp::sign_in::code_flow::{Secrets, SignedInPerson, plain};
use crate::idp::sign_in::{SignIn, SignInError};
use crate::store::{self, credentials, users};

/// How long an attempt can come back.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
const PURPOSE: &str = "sign-in attempt";

/// Where a browser is sent.
pub struct ProviderRedirect {
    /// The provider's page.
    pub url: String,
    /// What the browser is to bring back.
    pub attempt: String,
}

/// With what a browser comes back.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// The code.
    pub code: Option<SecretText>,
    /// The state.
    pub state: Option<String>,
    /// The issuer (RFC 9207).
    pub iss: Option<String>,
    /// The provider's word for why there is no code.
    pub error: Option<String>,
}

/// What a browser keeps of an attempt, sealed.
#[derive(Serialize, Deserialize)]
struct Attempt {
    id: String,
    generation: i32,
    until: i64,
    return_to: String,
}

struct Values {
    state: SecretText,
    nonce: SecretText,
    verifier: SecretText,
}

impl Broker {
    /// Whether people sign in at a provider; its issuer.
    pub fn sign_in_provider(&self) -> Option<&str> {
        self.sign_in.as_ref().map(SignIn::issuer)
    }

    /// Begins an attempt; `return_to` is the path of ours where the person wants to go.
    ///
    /// # Errors
    /// No provider, or it does not answer.
    pub async fn begin_provider_sign_in(
        &self,
        redirect_uri: &str,
        return_to: &str,
        language: &str,
    ) -> Result<ProviderRedirect, SignInFailure> {
        let sign_in = self.sign_in.as_ref().ok_or(SignInFailure::NotThatWay)?;
        let id = BrowserSecret::generate(SecretKind::Attempt, &*self.random);
        let attempt = Attempt {
            id: id.expose().to_owned(),
            generation: self.current_cookies(),
            until: (self.now() + LIFETIME).as_second(),
            return_to: return_to.to_owned(),
        };
        let values = self
            .values(&id, attempt.generation)
            .ok_or(SignInFailure::NoAttempt)?;
        let secrets = Secrets {
            state: &values.state,
            nonce: &values.nonce,
            verifier: &values.verifier,
        };
        let url = sign_in
            .authorization_url(redirect_uri, &secrets, language)
            .await
            .map_err(failed)?;
        let sealed =
            serde_json::to_vec(&attempt).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(ProviderRedirect {
            url: url.into(),
            attempt: self.seal_for_browser(PURPOSE, &sealed),
        })
    }

    /// Lets in who comes back, and tells where he wanted to go.
    ///
    /// # Errors
    /// Not this browser's attempt, the provider says no, or what it says is not good.
    pub async fn finish_provider_sign_in(
        &self,
        attempt: &str,
        callback: Callback,
        redirect_uri: &str,
        visitor: &Visitor,
    ) -> Result<(OpenedSession, String), SignInFailure> {
        let sign_in = self.sign_in.as_ref().ok_or(SignInFailure::NotThatWay)?;
        self.take_try(visitor.origin.address)?;
        let opened = self.open_of_browser(PURPOSE, attempt).await?;
        let opened = opened.ok_or(SignInFailure::NoAttempt)?;
        let attempt: Attempt =
            serde_json::from_slice(opened.expose()).map_err(|_| SignInFailure::NoAttempt)?;
        let id = BrowserSecret::parse(SecretKind::Attempt, &attempt.id);
        let id = id.ok_or(SignInFailure::NoAttempt)?;
        if self.now().as_second() >= attempt.until {
            return Err(SignInFailure::NoAttempt);
        }
        let values = self
            .values(&id, attempt.generation)
            .ok_or(SignInFailure::NoAttempt)?;
        let state = callback.state.as_deref().unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(values.state.expose().as_bytes())) {
            return Err(SignInFailure::NoAttempt);
        }
        // From here on this attempt is used up, whatever comes of it.
        let used = UsedAttempt {
            id: id.digest(),
            until: self.now() + LIFETIME,
        };
        self.store.write(move |tx| used.write(tx)).await?;
        sign_in
            .check_issuer_of_answer(callback.iss.as_deref())
            .await
            .map_err(failed)?;
        if let Some(error) = callback.error {
            let word = plain(&error).unwrap_or("no reason").to_owned();
            return Err(SignInFailure::Refused(word));
        }
        let code = callback
            .code
            .ok_or_else(|| SignInFailure::BadAnswer("no code".to_owned()))?;
        let secrets = Secrets {
            state: &values.state,
            nonce: &values.nonce,
            verifier: &values.verifier,
        };
        let person = sign_in
            .redeem(&code, redirect_uri, &secrets)
            .await
            .map_err(failed)?;
        let user = self.person_of_provider(person, visitor).await?;
        let opened = self.let_in(user, SignInMethod::Provider, visitor).await?;
        Ok((opened, attempt.return_to))
    }

    /// Whom the provider names, made known if he is new, with the memberships that rules give him now.
    async fn person_of_provider(
        &self,
        person: SignedInPerson,
        visitor: &Visitor,
    ) -> Result<User, SignInFailure> {
        // A user that stands behind a key is no person, wherever people sign in.
        let name = person.subject.sub.clone();
        let is_ours = self
            .store
            .read(move |connection| credentials::is_subject_of_any(connection, name.as_str()))
            .await?;
        if is_ours {
            return Err(SignInFailure::Refused("machine_user".to_owned()));
        }
        let origin = Origin {
            actor: "sign-in".to_owned(),
            ..visitor.origin.clone()
        };
        let called = person.name().and_then(|name| text::name(name).ok());
        let user = self.known_user(person.subject, &origin).await?;
        let user = self.named(user, called).await?;
        self.apply_membership_rules(user.id, &person.claims, &origin)
            .await?;
        Ok(user)
    }

    /// Gives somebody who has no name yet the one that the provider calls him by.
    async fn named(&self, user: User, name: Option<String>) -> Result<User, store::Error> {
        let (None, Some(name)) = (&user.name, name) else {
            return Ok(user);
        };
        let after = User {
            name: Some(name),
            ..user.clone()
        };
        let written = after.clone();
        let done = self
            .store
            .write(move |tx| users::update(tx, &written))
            .await?;
        // Named by somebody else meanwhile.
        Ok(if done { after } else { user })
    }

    fn values(&self, attempt: &BrowserSecret, generation: i32) -> Option<Values> {
        Some(Values {
            state: self.of_attempt(attempt, generation, "state")?,
            nonce: self.of_attempt(attempt, generation, "nonce")?,
            verifier: self.of_attempt(attempt, generation, "verifier")?,
        })
    }
}

fn failed(error: SignInError) -> SignInFailure {
    match error {
        SignInError::Refused(word) => SignInFailure::Refused(word),
        SignInError::Answer(what) => SignInFailure::BadAnswer(what.to_owned()),
        SignInError::Token(error) => SignInFailure::BadAnswer(error.to_string()),
        unavailable @ SignInError::Unavailable(_) => SignInFailure::Unavailable(unavailable),
    }
}
