//! The use cases: what kagiya does, without a word of HTTP or SQL.
//!
//! [`Broker`] is the one shared state. It guarantees that a key is judged by what is on record now: what it remembers of keys is
//! forgotten before the call that changed it is answered ([`memory`]), and secrets, resources and signing keys are snapshots that
//! are replaced whole.

mod admission;
mod alarms;
mod applications;
mod audit;
mod audit_retention;
pub mod audit_verification;
mod authentication;
mod caller;
mod carriage;
pub mod catalogue;
mod ceiling;
mod clients;
mod differences;
mod epoch;
mod error;
mod exchange;
mod exchange_rules;
mod grant;
mod grantor;
pub mod idempotency;
mod identity_providers;
mod inspection;
mod introspection;
pub mod keys;
pub mod maintenance;
mod management;
mod me;
mod members;
mod memory;
mod newer_secrets;
mod organizations;
mod outbox;
pub mod overview;
mod owner_watch;
mod passthrough;
mod permissions;
mod provider_rights;
mod rate;
mod reconcile;
mod record;
mod refusals;
mod remembered;
mod resources;
pub mod retention;
mod reuse;
mod revocation;
mod revocation_list;
mod revoked;
mod roles;
mod root_secret;
mod secret_rotation;
mod secrets;
pub mod sign_in;
mod signing_keys;
mod start;
mod tally;
mod token_life;
mod trail;
mod usage;
mod users;
mod vouching;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Notify;

pub use self::admission::{AdmissionRefusal, AdmissionRequest, Admitted, TrustedGateway};
pub use self::applications::{
    ApplicationChange, IssuedSecret, MadeApplication, NewApplication, ShownApplication,
};
pub use self::audit::EventFilter;
pub use self::authentication::{Refusal, TagProof};
pub use self::caller::{Caller, Person, Standing};
pub use self::clients::{Client, ClientCredentials, ClientRefusal};
pub use self::error::{Conflict, Error};
pub use self::exchange::{Asker, Exchanged, Refused, TokenRequest};
pub use self::exchange_rules::{
    ExchangeRuleChange, NewExchangeRule, ResourceName, ShownExchangeRule,
};
pub use self::grant::{
    BadToken, ExchangeRequest, GrantRefusal, GrantRequest, GrantedToken, PresentedToken, TokenKind,
};
pub use self::identity_providers::{Imported, Pending, ShownProvider};
pub use self::inspection::tag_of;
pub use self::introspection::{ActiveKey, ActiveToken, Introspected, IntrospectionRefusal};
pub use self::keys::OwnerName;
pub use self::management::{CallerError, OperatorToken, every_scope};
pub use self::me::{GrantsIn, Me};
pub use self::members::NewMembership;
pub use self::organizations::{NewOrganization, OrganizationChange, ShownOrganization};
pub use self::permissions::NewPermission;
pub use self::rate::RateLimitState;
pub use self::reconcile::{Reconciliation, Report};
pub use self::record::{Record, Stopped};
pub use self::resources::{NewResource, ResourceChange};
pub use self::revocation::RevocationRefusal;
pub use self::revocation_list::{RevocationList, RevocationListError};
pub use self::roles::{NewRole, RoleChange, ShownRole};
pub use self::root_secret::{RootChange, RootSecretFile};
pub use self::secret_rotation::{ListedSecret, SecretLeak};
pub use self::signing_keys::{PublishedSigningKey, Signing};
pub use self::start::StartError;
pub use self::users::NewUser;

use self::catalogue::Catalogue;
use self::exchange_rules::KnownRules;
use self::memory::Memory;
use self::newer_secrets::Readings;
use self::rate::{AddressLimits, FruitlessLookups, KeyLimits, Limits};
use self::refusals::Refusals;
use self::remembered::Remembered;
use self::retention::Retention;
use self::reuse::Reuse;
use self::revoked::RevokedTokens;
use self::secrets::PurposeSecrets;
use self::sign_in::{SignInLimits, SignInSettings};
use self::usage::Usage;
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::clock::Clock;
use crate::domain::id::{ApplicationId, CredentialId, DeploymentId, PackedId};
use crate::domain::issuer::Issuer;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::prefix::KeyPrefixes;
use crate::domain::random::Random;
use crate::domain::resource::TokenLifetime;
use crate::domain::sealed::RootSecret;
use crate::domain::subject::Subject;
use crate::idp::Providers;
use crate::idp::sign_in::SignIn;
use crate::store::{Change, Store};
use crate::telemetry::metrics::{Metrics, ProviderFigures};

/// What a broker stands on.
pub struct Foundations {
    /// The database, its schema up to date.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The root secret.
    pub root: RootSecret,
    /// Where it is kept, if this server keeps it itself and may replace it.
    pub root_file: Option<Arc<dyn RootSecretFile>>,
    /// Where machine users live.
    pub providers: Providers,
    /// Where people sign in, if they do.
    pub sign_in: Option<SignIn>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// How a broker behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of its tokens.
    pub issuer: Issuer,
    /// Whether an issuer other than the recorded one is taken from now on.
    pub accept_new_issuer: bool,
    /// The prefixes of keys.
    pub prefixes: KeyPrefixes,
    /// How many generations of keys are remembered.
    pub remembered_keys: usize,
    /// For how many seconds an equal exchange gets the same token; 0: never.
    pub reuse_seconds: u32,
    /// The same for requests of gateways.
    pub forward_auth_reuse_seconds: u32,
    /// How many bad keys an address may present in a minute.
    pub bad_keys_per_minute: NonZeroU32,
    /// How many calls to revoke leaked keys an address may make in a minute.
    pub revoke_leaked_per_minute: NonZeroU32,
    /// How many look-ups of an address may find nothing in a minute, under a tag secret that leaked.
    pub fruitless_lookups_per_minute: NonZeroU32,
    /// How many addresses are remembered for that.
    pub remembered_addresses: usize,
    /// How often a client may ask about a token and hear nothing, in a minute.
    pub inactive_introspections_per_minute: NonZeroU32,
    /// How often an address, and how often a client, may fail to prove who it is in a minute.
    pub bad_clients_per_minute: NonZeroU32,
    /// People who run the deployment.
    pub operators: Vec<Subject>,
    /// How people sign in at the dashboard.
    pub sign_in: SignInSettings,
    /// What organizations may use that do not say; `None`: everything.
    pub default_permissions: Option<Permissions>,
    /// What resources get that do not say.
    pub default_token_lifetime: TokenLifetime,
    /// What resources get that do not say.
    pub default_algorithm: SigningAlgorithm,
    /// How long verifiers may keep the JWK set.
    pub jwks_max_age: Duration,
    /// The age at which a signing key is replaced.
    pub rotate_signing_keys_after: Duration,
    /// How long a new secret is on record before it makes anything, where other nodes have to learn it.
    pub announce_secrets: Duration,
    /// How often use is written down.
    pub usage_flush: Duration,
    /// For how long what has served its purpose is kept.
    pub retention: Retention,
    /// How long a call to an identity provider may take.
    pub provider_timeout: Duration,
}

/// The broker. Shared by everything that serves.
pub struct Broker {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    root: ArcSwap<RootSecret>,
    root_file: Option<Arc<dyn RootSecretFile>>,
    /// One change of the root secret at a time.
    root_changes: tokio::sync::Mutex<()>,
    providers: Providers,
    sign_in: Option<SignIn>,
    metrics: Arc<Metrics>,
    settings: Settings,
    deployment: DeploymentId,
    /// Names this run of the server in what it leaves behind.
    run: String,
    management_audience: String,
    secrets: ArcSwap<PurposeSecrets>,
    readings: Readings,
    signing: Arc<ArcSwap<Signing>>,
    voucher: vouching::Voucher,
    /// For what goes on when nobody waits for it any more.
    myself: Weak<Broker>,
    /// By the places of the providers in the registry.
    provider_figures: Vec<ProviderFigures>,
    catalogue: Arc<Versioned<Catalogue>>,
    exchange_rules: Arc<Versioned<KnownRules>>,
    memory: Arc<Memory>,
    clients: Arc<Remembered<ApplicationId, Client>>,
    revoked: Arc<RevokedTokens>,
    revocation_list: Arc<revocation_list::Kept>,
    epoch: epoch::Epoch,
    /// The user name of a generation, which never changes.
    generations: quick_cache::sync::Cache<CredentialId, UserName>,
    /// The database was silent for too long: what is remembered counts no more.
    distrusts_memory: AtomicBool,
    reuse: Reuse,
    forward_auth_reuse: Reuse,
    admitted_tokens: admission::AdmittedTokens,
    usage: Usage,
    refusals: Refusals,
    sign_in_limits: SignInLimits,
    key_limits: KeyLimits,
    bad_keys: AddressLimits,
    leaked_calls: AddressLimits,
    fruitless_lookups: FruitlessLookups,
    bad_clients: AddressLimits,
    client_failures: Limits<PackedId>,
    client_lookups: FruitlessLookups,
    inactive_answers: Limits<PackedId>,
    refused_trades: Limits<PackedId>,
    operator_tokens: management::SeenTokens,
    sign_ins: provider_rights::SignIns,
    differences: differences::Differences,
    alarms: alarms::Alarms,
    passed: passthrough::KeptTokens,
    outbox: outbox::Gate,
    /// Wakes whoever tends the outbox.
    work: Arc<Notify>,
    /// Wakes whoever reads the signing keys again.
    signing_changed: Arc<Notify>,
    /// Wakes whoever reads the secrets again.
    secrets_changed: Arc<Notify>,
}

impl Broker {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The `iss` of our tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.settings.issuer
    }

    /// How this broker behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The identity providers.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The randomness that everything here draws from.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// The signing keys as they are now.
    pub fn signing(&self) -> Arc<Signing> {
        self.signing.load_full()
    }

    /// Takes one off an address's limit of calls that revoke leaked keys; `Err`: seconds to wait.
    ///
    /// # Errors
    /// When there is none left.
    pub fn take_leaked_call(&self, address: std::net::IpAddr) -> Result<(), u32> {
        self.leaked_calls.take(address)
    }

    /// Takes one off an address's limit of bad keys; `Err`: seconds to wait.
    ///
    /// # Errors
    /// When there is none left.
    pub fn take_bad_key(&self, address: std::net::IpAddr) -> Result<(), u32> {
        self.bad_keys.take(address)
    }

    /// Whether keys may be judged by what is remembered of them. Where not, each is read, and refused with 503 if it cannot be.
    pub fn trust_memory(&self, trust: bool) {
        self.distrusts_memory.store(!trust, Ordering::Relaxed);
    }

    /// The resources and permissions as they are now; read again if they changed.
    async fn catalogue(&self) -> Result<Arc<Catalogue>, crate::store::Error> {
        if let Some(catalogue) = self.catalogue.current() {
            return Ok(catalogue);
        }
        let version = self.catalogue.wanted();
        let (resources, permissions) = self.store.read(crate::store::resources::all).await?;
        Ok(self
            .catalogue
            .replace(version, Catalogue::new(resources, permissions)))
    }
}

impl Broker {
    /// Forgets all that is remembered of the database, so that it is read again.
    fn forget_everything(&self) {
        self.catalogue.expire();
        self.exchange_rules.expire();
        self.memory.forget_all();
        self.clients.forget_all();
        self.revoked.expire();
        self.revocation_list.expire();
        self.secrets_changed.notify_one();
        self.signing_changed.notify_one();
    }
}

/// A snapshot that knows whether it is the newest.
struct Versioned<T> {
    wanted: AtomicU64,
    held: ArcSwap<(u64, Arc<T>)>,
}

impl<T: Default> Versioned<T> {
    /// Holds nothing that is current.
    fn stale() -> Self {
        Self {
            wanted: AtomicU64::new(1),
            held: ArcSwap::from_pointee((0, Arc::default())),
        }
    }

    /// Says that what is held is not the newest any more.
    fn expire(&self) {
        self.wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// To be read before the rows that a new snapshot is made of.
    fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::SeqCst)
    }

    /// What is held, if it is the newest.
    fn current(&self) -> Option<Arc<T>> {
        let held = self.held.load();
        (held.0 == self.wanted()).then(|| Arc::clone(&held.1))
    }

    /// Holds a snapshot whose rows were read after `version` was; an older one never takes the place of a newer.
    fn replace(&self, version: u64, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let new = Arc::new((version, Arc::clone(&value)));
        self.held.rcu(|held| {
            if held.0 <= version {
                Arc::clone(&new)
            } else {
                Arc::clone(held)
            }
        });
        value
    }
}

/// What a change of the store makes wrong.
struct Changeable {
    memory: Arc<Memory>,
    clients: Arc<Remembered<ApplicationId, Client>>,
    revoked: Arc<RevokedTokens>,
    revocation_list: Arc<revocation_list::Kept>,
    catalogue: Arc<Versioned<Catalogue>>,
    exchange_rules: Arc<Versioned<KnownRules>>,
    secrets: Arc<Notify>,
    signing: Arc<Notify>,
}

impl Changeable {
    /// Forgets what these changes make wrong. Runs after the commit and before its caller is answered.
    fn forget(&self, changes: &[Change]) {
        self.revocation_list.expire();
        for change in changes {
            match change {
                Change::Key { user_names, .. } => {
                    let names: Vec<_> = user_names
                        .iter()
                        .filter_map(|name| UserName::parse(name))
                        .collect();
                    self.memory.forget(&names);
                }
                Change::Organization(id) => {
                    self.memory.forget_organization(id);
                    self.clients
                        .forget_unless(|client| client.organization_id() != Some(*id));
                }
                Change::Application(id) => self.clients.forget(&[*id]),
                Change::Token { jti, expires_at } => self.revoked.add(jti, *expires_at),
                Change::Catalogue => {
                    self.catalogue.expire();
                    self.exchange_rules.expire();
                    self.memory.forget_all();
                    self.clients.forget_all();
                }
                Change::ExchangeRules => self.exchange_rules.expire(),
                // What is remembered of keys names secrets by number, so it stays right.
                Change::Secrets => self.secrets.notify_one(),
                Change::SigningKeys => self.signing.notify_one(),
            }
        }
    }
}
