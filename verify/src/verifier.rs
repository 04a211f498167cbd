//! The verifier: what it holds, and how it judges.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jsonwebtoken::{DecodingKey, Header, decode, decode_header};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::fetch::Source;
use crate::keys::{Key, Keys};
use crate::refresh::Refresher;
use crate::revoked::Revoked;
use crate::{Claims, Refusal};

/// How long one request to the issuer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is used again: a server that is about to close one may never answer what it is sent then.
const REUSED: Duration = Duration::from_secs(1);
/// How often the list of revocations is read unless the service says otherwise; the issuer wants it to be kept so long.
const LIST_EVERY: Duration = Duration::from_secs(5);
/// How often keys are fetched at most: anybody can invent a `kid`.
pub(crate) const BETWEEN_KEYS: Duration = Duration::from_secs(10);

/// Verifies tokens. Cheap to clone; make one a process.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    longest_silence: Option<Duration>,
    pub(crate) keys: ArcSwapOption<Keys>,
    pub(crate) revoked: ArcSwapOption<Revoked>,
    /// Wakes the refresher, for somebody met a `kid` that is not held.
    pub(crate) wanted: Arc<Notify>,
    /// Counts the attempts to fetch keys.
    pub(crate) attempts: watch::Sender<u64>,
    /// Whether keys and list were both asked for once, whatever came of it.
    pub(crate) begun: watch::Sender<bool>,
    task: OnceLock<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// What a verifier is to be.
pub struct Builder {
    issuer: String,
    audience: String,
    well_known: Option<String>,
    client: Option<Client>,
    list_every: Duration,
    longest_silence: Option<Duration>,
}

impl Builder {
    /// Where the issuer is reached, if that is not what it calls itself: the URL of its `/.well-known`.
    #[must_use]
    pub fn well_known(mut self, url: impl Into<String>) -> Self {
        self.well_known = Some(url.into());
        self
    }

    /// Fetches with this client in place of its own, which takes 5 s at most and follows no redirect.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// How often the list of what was revoked is read; 5 s unless said. It is the longest that a stopped key goes on here.
    #[must_use]
    pub fn revocations_every(mut self, every: Duration) -> Self {
        self.list_every = every;
        self
    }

    /// Refuses everything, as an outage, while the list of what was revoked could not be read for so long. Unless this is said, the last
    /// list counts and every token ends by itself.
    #[must_use]
    pub fn unavailable_without_revocations_for(mut self, longest: Duration) -> Self {
        self.longest_silence = Some(longest);
        self
    }

    /// Begins to fetch, and verifies from now on. The service may start before its issuer: until its keys are here, [`Refusal::Unavailable`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(self) -> Verifier {
        let base = self.issuer.trim_end_matches('/');
        let well_known = self
            .well_known
            .unwrap_or_else(|| format!("{base}/.well-known"));
        let source = Source {
            client: self.client.unwrap_or_else(default_client),
            well_known: well_known.trim_end_matches('/').to_owned(),
        };
        let inner = Arc::new(Inner {
            issuer: self.issuer,
            audience: self.audience,
            longest_silence: self.longest_silence,
            keys: ArcSwapOption::empty(),
            revoked: ArcSwapOption::empty(),
            wanted: Arc::default(),
            attempts: watch::Sender::new(0),
            begun: watch::Sender::new(false),
            task: OnceLock::new(),
        });
        let refresher = Refresher::new(source, Arc::downgrade(&inner), self.list_every);
        let task = tokio::spawn(refresher.run());
        let _ = inner.task.set(task.abort_handle());
        Verifier(inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a library of its own, which calls the issuer that it is told"
)]
fn default_client() -> Client {
    // It fails only where the process has one already, which serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .pool_idle_timeout(REUSED)
        .build()
        .expect("no part of this depends on anything outside")
}

impl Verifier {
    /// Of tokens that `issuer` made for `audience`, the identifier of the service's own resource.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audience: audience.into(),
            well_known: None,
            client: None,
            list_every: LIST_EVERY,
            longest_silence: None,
        }
    }

    /// What a token says, if it is good here and now. Takes no I/O, unless its key is one that was not met before.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = read_header(token, "at+jwt")?;
        let kid = header
            .kid
            .as_deref()
            .ok_or(Refusal::InvalidToken("it names no key"))?;
        if self.0.revoked.load().is_none() {
            // A service that has just started must not let through what was revoked before.
            let mut begun = self.0.begun.subscribe();
            let _ = tokio::time::timeout(TIMEOUT, begun.wait_for(|begun| *begun)).await;
        }
        let keys = self.keys(kid).await?;
        let key = keys
            .find(kid)
            .ok_or(Refusal::InvalidToken("no key of the issuer has that name"))?;
        let claims: Claims = check(token, &header, key, &key.token_rules)?;
        self.check_revoked(kid, &claims)?;
        Ok(claims)
    }

    fn check_revoked(&self, kid: &str, claims: &Claims) -> Result<(), Refusal> {
        let revoked = self.0.revoked.load();
        if let Some(longest) = self.0.longest_silence {
            let heard_at = revoked.as_ref().map(|revoked| revoked.heard_at);
            if heard_at.is_none_or(|at| at.elapsed() > longest) {
                return Err(Refusal::Unavailable("the list of revocations is too old"));
            }
        }
        let names = claims.names().chain([kid]);
        match revoked.as_ref() {
            Some(revoked) if revoked.names_any(names) => {
                Err(Refusal::InvalidToken("it was revoked"))
            }
            _ => Ok(()),
        }
    }

    /// The keys, in which `kid` is, if it is anywhere.
    async fn keys(&self, kid: &str) -> Result<Arc<Keys>, Refusal> {
        let held = self.0.keys.load_full();
        if let Some(keys) = held
            && keys.find(kid).is_some()
        {
            return Ok(keys);
        }
        // Before waking: an attempt that ends in between is not missed.
        let mut attempts = self.0.attempts.subscribe();
        self.0.wanted.notify_one();
        let _ = tokio::time::timeout(TIMEOUT, attempts.changed()).await;
        let keys = self.0.keys.load_full();
        keys.ok_or(Refusal::Unavailable("the issuer's keys cannot be fetched"))
    }
}

/// The header of a token of this kind (RFC 9068 §4): with or without `application/`, in any case. Other kinds are signed with the same
/// keys.
pub(crate) fn read_header(token: &str, kind: &str) -> Result<Header, Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::InvalidToken("it is no JWT"))?;
    let typ = header
        .typ
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != kind {
        return Err(Refusal::InvalidToken("it is of another kind"));
    }
    // RFC 7515 §4.1.11: what is critical must be understood, and nothing is here.
    if header.crit.is_some() {
        return Err(Refusal::InvalidToken("its header names what is critical"));
    }
    Ok(header)
}

/// What it says, if this key signed it by its own algorithm and the rules are kept.
pub(crate) fn check<T: DeserializeOwned>(
    token: &str,
    header: &Header,
    key: &Key,
    rules: &jsonwebtoken::Validation,
) -> Result<T, Refusal> {
    if header.alg != key.algorithm {
        return Err(Refusal::InvalidToken("its key is for another algorithm"));
    }
    let decoding: &DecodingKey = &key.decoding;
    match decode::<T>(token, decoding, rules) {
        Ok(checked) => Ok(checked.claims),
        Err(_) => Err(Refusal::InvalidToken("its signature or a claim is wrong")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures the age of what was fetched"
)]
pub(crate) fn clock() -> Instant {
    Instant::now()
}
