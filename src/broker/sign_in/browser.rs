//! What a browser is given to bring back: sealed texts, and tokens that show that a form came from one of our own pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::broker::Broker;
use crate::domain::browser_secret::BrowserSecret;
use crate::domain::sealed::{OpenError, Place};
use crate::domain::secret::{SecretBytes, SecretText};
use crate::store;

const FORM_CONTEXT: &str = "kagiya 2026-11 dashboard: token of forms";
const DERIVED_CONTEXT: &str = "kagiya 2026-11 dashboard: values of an attempt to sign in";
/// The longest sealed text that is looked at.
const LONGEST: usize = 4096;

impl Broker {
    /// The token that each form of this browser carries: who does not hold the browser's secret cannot make it (OWASP ASVS 5.0 §3.5.1).
    pub fn form_token(&self, browser: &BrowserSecret) -> String {
        let secrets = self.secrets.load();
        let (_, secret) = secrets.current_cookies();
        URL_SAFE_NO_PAD.encode(form_token(secret, browser))
    }

    /// Whether a token is that of this browser, made with any secret of cookies that is held; in constant time.
    pub fn is_form_token(&self, browser: &BrowserSecret, token: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let secrets = self.secrets.load();
        secrets
            .all_cookies()
            .any(|(_, secret)| form_token(secret, browser).ct_eq(&token).into())
    }

    /// Seals a text that a browser keeps for us; `purpose` says for what, and opens nothing else.
    pub fn seal_for_browser(&self, purpose: &str, text: &[u8]) -> String {
        let place = place(purpose);
        URL_SAFE_NO_PAD.encode(self.secrets.load().seal_cookie(place, text))
    }

    /// Opens what a browser brought back; `None` if it is not ours.
    ///
    /// # Errors
    /// When it may be another node's, whose secret the database does not give.
    pub async fn open_of_browser(
        &self,
        purpose: &str,
        text: &str,
    ) -> Result<Option<SecretBytes>, store::Error> {
        if text.len() > LONGEST {
            return Ok(None);
        }
        let Ok(blob) = URL_SAFE_NO_PAD.decode(text) else {
            return Ok(None);
        };
        let place = place(purpose);
        let opened = self.secrets.load_full().open_cookie(place, &blob);
        let opened = match opened {
            Err(OpenError::Generation(_)) => self.newer_secrets().await?.open_cookie(place, &blob),
            opened => opened,
        };
        Ok(opened.ok())
    }

    /// A value that belongs to one attempt to sign in and that nobody but us can make; `None` if the secret that it was begun with is
    /// gone.
    pub(super) fn of_attempt(
        &self,
        attempt: &BrowserSecret,
        generation: i32,
        what: &str,
    ) -> Option<SecretText> {
        let secrets = self.secrets.load();
        let mut held = secrets.all_cookies();
        let (_, secret) = held.find(|(number, _)| *number == generation)?;
        let mut key = zeroize::Zeroizing::new([0u8; 32]);
        *key = blake3::derive_key(DERIVED_CONTEXT, secret.expose());
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(what.as_bytes());
        hasher.update(&[0]);
        hasher.update(attempt.expose().as_bytes());
        Some(SecretText::new(
            URL_SAFE_NO_PAD.encode(hasher.finalize().as_bytes()),
        ))
    }

    /// The number of the secret that attempts are begun with now.
    pub(super) fn current_cookies(&self) -> i32 {
        self.secrets.load().current_cookies().0
    }
}

fn form_token(secret: &SecretBytes, browser: &BrowserSecret) -> [u8; 32] {
    let key = zeroize::Zeroizing::new(blake3::derive_key(FORM_CONTEXT, secret.expose()));
    // The digest and not the secret itself: what is in a page opens no session.
    *blake3::keyed_hash(&key, &browser.digest()).as_bytes()
}

fn place(purpose: &str) -> Place<'_> {
    Place {
        purpose: "cookie",
        name: purpose,
        id: "",
    }
}
