//! What a key's identity provider says: its user is signed in when the last word is too old, once for all who ask at that moment.
//!
//! A provider that gives no answer, or refuses what we hold to be right, is an outage: 503, or by its policy what it said last for a
//! while. A refusal is looked into: where the user turns out to be deleted or disabled there, the key is refused as disabled; otherwise it
//! is an alarm and one repair. What the provider lacks of our record is put back; what it grants beyond is shown as drift, never granted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use quick_cache::sync::Cache;

use super::Broker;
use super::authentication::Refusal;
use super::record::{self, Record, Stopped};
use crate::domain::credential::ProviderRights;
use crate::domain::id::CredentialId;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::{UnverifiedKey, UserName};
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
use crate::domain::sealed::OpenError;
use crate::domain::secret::SecretText;
use crate::idp::{self, IdentityProvider, SignIn, SignedIn, Wanted};
use crate::store::presented;

/// For how many seconds nobody signs a user in again that was refused.
const AFTER_REFUSAL: i64 = 5;
/// For how many seconds at most a user that is deleted or disabled at the provider is taken for that.
const AFTER_GONE: i64 = 30;
/// How many refusals are remembered.
const REMEMBERED: usize = 10_000;
/// How many seconds are between two repairs of a user.
const BETWEEN_REPAIRS: i64 = 3600;

/// What came of a sign-in.
#[derive(Clone)]
pub(super) enum Outcome {
    /// What the provider said.
    SignedIn(SignedIn),
    /// The user is deleted or disabled there.
    Gone,
    /// Nothing that says anything of the user.
    Outage(Arc<idp::Error>),
}

/// What is asked for whom.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    name: UserName,
    /// `None`: what the user may do.
    token: Option<(ResourceIdentifier, ScopeSet)>,
}

type Asking = Shared<BoxFuture<'static, Outcome>>;

/// Sign-ins under way, so that equal ones are one request to the provider, and what was refused a moment ago.
pub(super) struct SignIns {
    under_way: Arc<Mutex<HashMap<Question, Asking>>>,
    refused: Cache<UserName, (i64, Outcome)>,
    repaired: Cache<UserName, i64>,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            under_way: Arc::default(),
            refused: Cache::new(REMEMBERED),
            repaired: Cache::new(REMEMBERED),
        }
    }
}

/// All that a sign-in in a task of its own needs.
struct Asked {
    question: Question,
    provider: Arc<dyn IdentityProvider>,
    generation: CredentialId,
    password: SecretText,
    credential: Option<SecretText>,
    recorded: Permissions,
    address: Option<IpAddr>,
}

impl Broker {
    /// A key as its provider lets it be now, for somebody else than its holder, who shows it from an address that nobody knows.
    ///
    /// # Errors
    /// As for an exchange.
    pub(super) async fn fresh(
        &self,
        presented: &[u8],
        record: Arc<Record>,
    ) -> Result<Arc<Record>, Refusal> {
        if record::seconds(self.now()) < record.rights_until {
            return Ok(record);
        }
        Box::pin(self.renew_rights(presented, &record, None)).await
    }

    /// Signs the user in again, since what its provider said is too old, and remembers what it says now.
    pub(super) async fn renew_rights(
        &self,
        presented: &[u8],
        record: &Arc<Record>,
        address: Option<IpAddr>,
    ) -> Result<Arc<Record>, Refusal> {
        let ticket = self.memory.ticket();
        let outcome = self.sign_in(presented, record, None, address).await?;
        let signed_in = match outcome {
            Outcome::SignedIn(signed_in) => signed_in,
            Outcome::Gone => return Err(Refusal::Stopped(Stopped::Disabled)),
            Outcome::Outage(error) => return self.last_known(record, error),
        };
        let name = UnverifiedKey::parse(presented, &self.settings.prefixes)
            .map_err(|_| Refusal::Malformed)?
            .user_name();
        let catalogue = self.catalogue().await?;
        let row = self
            .store
            .read_hot(move |connection| presented::find(connection, &name))
            .await?;
        let mut row = row.ok_or(Refusal::Unknown)?;
        let rights = ProviderRights {
            granted: signed_in.granted,
            at: self.now(),
        };
        self.note_difference(&row, &rights, &catalogue).await;
        row.provider_rights = Some(rights);
        let renewed = Arc::new(self.remembered(row, &catalogue)?.ok_or(Refusal::Unknown)?);
        self.memory.keep(ticket, name, &renewed);
        match renewed.stopped(self.now()) {
            Some(stopped) => Err(Refusal::Stopped(stopped)),
            None => Ok(renewed),
        }
    }

    /// What the provider said last, if its policy lets that go on for a while. What is in hand was read after the last change that is
    /// known here, so it is never from before one.
    fn last_known(
        &self,
        record: &Arc<Record>,
        error: Arc<idp::Error>,
    ) -> Result<Arc<Record>, Refusal> {
        let provider = self.providers.at(record.provider);
        let outlast = provider.and_then(|provider| provider.policy().outlast);
        let now = record::seconds(self.now());
        let until = outlast.map(|outlast| {
            let seconds = u32::try_from(outlast.as_secs()).unwrap_or(u32::MAX);
            record.rights_until.saturating_add(seconds)
        });
        if record.rights_until > 0 && until.is_some_and(|until| now < until) {
            self.note_outlasting(record.provider);
            return Ok(Arc::clone(record));
        }
        Err(self.outage(record.provider, error))
    }

    /// The answer of the provider to a question about a user; equal questions at once are one.
    pub(super) async fn sign_in(
        &self,
        presented: &[u8],
        record: &Record,
        token: Option<(ResourceIdentifier, ScopeSet)>,
        address: Option<IpAddr>,
    ) -> Result<Outcome, Refusal> {
        let key = UnverifiedKey::parse(presented, &self.settings.prefixes)
            .map_err(|_| Refusal::Malformed)?;
        let question = Question {
            name: key.user_name(),
            token,
        };
        let now = self.now().as_second();
        if let Some((until, outcome)) = self.sign_ins.refused.get(&question.name)
            && now < until
        {
            return Ok(outcome);
        }
        if self
            .secrets
            .load()
            .provider(i32::from(record.provider_generation))
            .is_none()
        {
            self.newer_secrets().await?;
        }
        let credential = self.provider_credential(&key, record).await?;
        let asking = {
            let mut under_way = lock(&self.sign_ins.under_way);
            match under_way.get(&question) {
                Some(asking) => asking.clone(),
                None => {
                    match self.start_sign_in(&key, record, (question.clone(), credential), address)
                    {
                        Ok(started) => {
                            under_way.insert(question, started.clone());
                            started
                        }
                        Err(reason) => {
                            let error = idp::Error::Refused {
                                reason: reason.to_owned(),
                            };
                            return Ok(Outcome::Outage(Arc::new(error)));
                        }
                    }
                }
            }
        };
        Ok(asking.await)
    }

    fn start_sign_in(
        &self,
        key: &UnverifiedKey<'_>,
        record: &Record,
        (question, credential): (Question, Option<SecretText>),
        address: Option<IpAddr>,
    ) -> Result<Asking, &'static str> {
        let provider = self
            .providers
            .at(record.provider)
            .ok_or("the provider is not configured")?;
        let secrets = self.secrets.load();
        let secret = secrets
            .provider(i32::from(record.provider_generation))
            .ok_or("the provider secret of this generation is not held")?;
        let asked = Asked {
            provider: Arc::clone(provider),
            generation: record.credential_id(),
            password: secret.password(&question.name, key.password()),
            credential,
            recorded: record.recorded(),
            address,
            question: question.clone(),
        };
        let broker = self.myself();
        let under_way = Arc::clone(&self.sign_ins.under_way);
        // A task of its own: it comes to its end, and out of the list, even if everybody who waited went away.
        let task = tokio::spawn(async move {
            let outcome = match broker.upgrade() {
                Some(broker) => broker.ask_and_look(asked).await,
                None => Outcome::Outage(Arc::new(idp::Error::unavailable("the server stops"))),
            };
            lock(&under_way).remove(&question);
            outcome
        });
        let asking = task.map(|ended| {
            ended.unwrap_or_else(|error| Outcome::Outage(Arc::new(idp::Error::unavailable(error))))
        });
        Ok(asking.boxed().shared())
    }

    async fn ask_and_look(&self, asked: Asked) -> Outcome {
        let wanted = match &asked.question.token {
            None => Wanted::Rights(&asked.recorded),
            Some((resource, scopes)) => Wanted::Token { resource, scopes },
        };
        let sign_in = SignIn {
            user_name: &asked.question.name,
            generation: asked.generation,
            password: &asked.password,
            credential: asked.credential.as_ref(),
            vouch: &self.voucher,
            address: asked.address,
            wanted,
        };
        let error = match self.ask(asked.provider.authenticate(sign_in)).await {
            Ok(signed_in) => return Outcome::SignedIn(signed_in),
            Err(
                error
                @ (idp::Error::Refused { .. } | idp::Error::NoSuchUser | idp::Error::Disabled),
            ) => error,
            Err(error) => return Outcome::Outage(Arc::new(error)),
        };
        // It is no word on the key until a look-up says that of the user.
        let name = asked.question.name;
        let looked_up = self.ask(asked.provider.look_up(&name)).await;
        let now = self.now().as_second();
        let (outcome, seconds) = match looked_up {
            Ok(None) => (Outcome::Gone, AFTER_GONE),
            Ok(Some(found)) if found.disabled => (Outcome::Gone, AFTER_GONE),
            Ok(Some(_)) => {
                self.refused_without_reason(&asked, &error);
                (Outcome::Outage(Arc::new(error)), AFTER_REFUSAL)
            }
            Err(look_up) => {
                let error_of_look_up = &look_up as &dyn std::error::Error;
                tracing::warn!(error = error_of_look_up, %error, "a refused user cannot be looked up");
                return Outcome::Outage(Arc::new(error));
            }
        };
        let age = match asked.provider.rights_age() {
            idp::RightsAge::AtMost(age) => i64::try_from(age.as_secs()).unwrap_or(AFTER_GONE),
            idp::RightsAge::UntilChanged => AFTER_GONE,
        };
        let until = now + seconds.min(age);
        self.sign_ins.refused.insert(name, (until, outcome.clone()));
        outcome
    }

    /// A user that is there and enabled is refused: somebody must know, and what he signs in by is put right once.
    fn refused_without_reason(&self, asked: &Asked, error: &idp::Error) {
        let provider = asked.provider.name();
        let index = self.providers.index(provider).map(usize::from);
        if let Some(figures) = index.and_then(|index| self.provider_figures.get(index)) {
            figures.alarm();
        }
        self.raise_alarm(
            provider.as_str(),
            "identity_provider.refused",
            error.to_string(),
        );
        let (name, now) = (asked.question.name, self.now().as_second());
        let recently = self.sign_ins.repaired.get(&name);
        if recently.is_some_and(|at| now - at < BETWEEN_REPAIRS) {
            return;
        }
        self.sign_ins.repaired.insert(name, now);
        let (broker, password) = (self.myself(), asked.password.clone());
        tokio::spawn(async move {
            if let Some(broker) = broker.upgrade() {
                broker.repair_user(name, password).await;
            }
        });
    }

    /// What the provider made for this user to sign in by, opened: it is sealed together with the key's own password.
    async fn provider_credential(
        &self,
        key: &UnverifiedKey<'_>,
        record: &Record,
    ) -> Result<Option<SecretText>, Refusal> {
        let sealed = record
            .extras()
            .and_then(|extras| extras.credential.as_deref());
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let generation = record.credential_id();
        let opened = super::secrets::open_credential(
            &self.secrets.load(),
            (&generation, key.password()),
            sealed,
        );
        let opened = match opened {
            // Another node sealed it with a secret that is not known here yet.
            Err(OpenError::Generation(_)) => super::secrets::open_credential(
                &*self.newer_secrets().await?,
                (&generation, key.password()),
                sealed,
            ),
            opened => opened,
        };
        opened
            .map(Some)
            .map_err(|error| Refusal::Internal(error.to_string()))
    }

    pub(super) fn myself(&self) -> Weak<Self> {
        self.myself.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
