//! From a database and a root secret to a broker that serves: the first start makes what is missing, every other finds it again.

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error as ThisError;
use tokio::sync::Notify;

use super::admission::AdmittedTokens;
use super::catalogue::Catalogue;
use super::memory::Memory;
use super::rate::{AddressLimits, FruitlessLookups, KeyLimits, Limits};
use super::remembered::Remembered;
use super::resources::MANAGEMENT_SCOPES;
use super::reuse::Reuse;
use super::secrets::{PurposeSecrets, SecretsError};
use super::sign_in::SignInLimits;
use super::signing_keys::{Signing, SigningError};
use super::usage::Usage;
use super::{Broker, Changeable, Foundations, Settings, Versioned};
use crate::domain::id::{DeploymentId, PermissionId, ResourceId};
use crate::domain::permission::Permission;
use crate::domain::resource::{Resource, TokenLifetime};
use crate::store::deployment::{self, Deployment};
use crate::store::{self, Backend, Change, resources};

/// Why a broker cannot start. Each says what to do.
#[derive(Debug, ThisError)]
pub enum StartError {
    /// The database does not answer or is not what it should be.
    #[error("the database cannot be used")]
    Store(#[from] store::Error),
    /// The root secret is not the one that this database was made with.
    #[error(
        "the root secret is not the one that this database was made with: give the right one by KAGIYA_ROOT_SECRET or \
         KAGIYA_ROOT_SECRET_FILE; without it nothing that is sealed here can be opened"
    )]
    WrongRootSecret,
    /// The secrets on record cannot be opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The signing keys on record cannot be used.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A change of the root secret that was cut off cannot be ended.
    #[error("a change of the root secret was cut off and cannot be ended: {0}")]
    RootChange(String),
    /// Another issuer than before.
    #[error(
        "the issuer is {configured}, but this database was made for {recorded}: tokens and resource servers know that one. \
         Give the recorded one, or accept the new one with --accept-new-issuer"
    )]
    OtherIssuer {
        /// What the configuration says.
        configured: String,
        /// What the database says.
        recorded: String,
    },
    /// No server ever started on this database.
    #[error("no server has started on this database yet: start one with kagiya serve")]
    NotStarted,
    /// The issuer makes no identifier for the management API.
    #[error("the issuer {0} cannot be the base of the management API's identifier")]
    Issuer(String),
}

/// How many refused exchanges of one client are put on record in a minute.
const REFUSED_TRADES: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

impl Broker {
    /// Starts: records the deployment, its first secrets, signing keys and the management resource where they are missing, and loads
    /// what is there.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        foundations: Foundations,
        mut settings: Settings,
    ) -> Result<Arc<Self>, StartError> {
        let Foundations {
            store,
            clock,
            random,
            root,
            root_file,
            providers,
            sign_in,
            metrics,
        } = foundations;
        let deployment =
            match record_deployment(&store, &settings, &root, (&*clock, &*random)).await {
                // Another node's first start at the same moment was faster: now its record is there.
                Err(StartError::Store(store::Error::Conflict { .. })) => {
                    record_deployment(&store, &settings, &root, (&*clock, &*random)).await?
                }
                recorded => recorded?,
            };
        let (prefix, now) = (settings.prefixes.current().clone(), clock.now());
        let used = store
            .write(move |tx| deployment::use_prefix(tx, &prefix, now))
            .await?;
        settings.prefixes = settings.prefixes.and(used);
        let management_audience = settings.issuer.management_audience();
        let memory = Arc::new(Memory::new(settings.remembered_keys));
        let catalogue = Arc::new(Versioned::<Catalogue>::stale());
        let secrets_changed = Arc::new(Notify::new());
        let signing_changed = Arc::new(Notify::new());
        let clients = Arc::new(Remembered::new(super::clients::REMEMBERED));
        let revoked = Arc::new(super::RevokedTokens::default());
        let exchange_rules = Arc::new(Versioned::stale());
        let revocation_list = Arc::new(super::revocation_list::Kept::default());
        let changeable = Changeable {
            memory: Arc::clone(&memory),
            clients: Arc::clone(&clients),
            revoked: Arc::clone(&revoked),
            revocation_list: Arc::clone(&revocation_list),
            catalogue: Arc::clone(&catalogue),
            exchange_rules: Arc::clone(&exchange_rules),
            secrets: Arc::clone(&secrets_changed),
            signing: Arc::clone(&signing_changed),
        };
        store.subscribe(move |changes| changeable.forget(changes));
        let (secrets, signing) = Signing::load_with_secrets(&store, &root, &settings).await?;
        let addresses = settings.remembered_addresses;
        let signing = Arc::new(ArcSwap::from_pointee(signing));
        let voucher = super::vouching::Voucher {
            issuer: settings.issuer.as_str().to_owned(),
            algorithm: settings.default_algorithm,
            signing: Arc::clone(&signing),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
        };
        let figures = providers.iter();
        let provider_figures = figures
            .map(|provider| metrics.provider(provider.name().as_str()))
            .collect();
        let broker = Arc::new_cyclic(|myself| Self {
            voucher,
            myself: myself.clone(),
            provider_figures,
            deployment: deployment.id,
            run: random_name(&*random),
            management_audience,
            secrets: ArcSwap::from_pointee(secrets),
            readings: Default::default(),
            signing,
            catalogue,
            exchange_rules,
            memory,
            clients,
            revoked,
            revocation_list,
            epoch: Default::default(),
            generations: quick_cache::sync::Cache::new(super::token_life::REMEMBERED),
            distrusts_memory: Default::default(),
            reuse: Reuse::new(settings.reuse_seconds, settings.remembered_keys),
            forward_auth_reuse: Reuse::new(
                settings.forward_auth_reuse_seconds,
                settings.remembered_keys,
            ),
            admitted_tokens: AdmittedTokens::new(settings.forward_auth_reuse_seconds),
            usage: Usage::default(),
            refusals: Default::default(),
            sign_in_limits: SignInLimits::new(addresses, &clock),
            key_limits: KeyLimits::new(Arc::clone(&clock)),
            bad_keys: AddressLimits::new(
                settings.bad_keys_per_minute,
                addresses,
                Arc::clone(&clock),
            ),
            leaked_calls: AddressLimits::new(
                settings.revoke_leaked_per_minute,
                addresses,
                Arc::clone(&clock),
            ),
            fruitless_lookups: FruitlessLookups::new(
                settings.fruitless_lookups_per_minute,
                addresses,
                Arc::clone(&clock),
            ),
            bad_clients: AddressLimits::new(
                settings.bad_clients_per_minute,
                addresses,
                Arc::clone(&clock),
            ),
            client_failures: Limits::new(
                settings.bad_clients_per_minute,
                super::clients::REMEMBERED,
                Arc::clone(&clock),
            ),
            client_lookups: FruitlessLookups::new(
                settings.bad_clients_per_minute,
                addresses,
                Arc::clone(&clock),
            ),
            inactive_answers: Limits::new(
                settings.inactive_introspections_per_minute,
                super::clients::REMEMBERED,
                Arc::clone(&clock),
            ),
            refused_trades: Limits::new(
                REFUSED_TRADES,
                super::clients::REMEMBERED,
                Arc::clone(&clock),
            ),
            operator_tokens: Default::default(),
            sign_ins: Default::default(),
            differences: Default::default(),
            alarms: Default::default(),
            passed: super::passthrough::KeptTokens::new(settings.remembered_keys),
            outbox: Default::default(),
            work: Arc::new(Notify::new()),
            signing_changed,
            secrets_changed,
            store,
            clock,
            random,
            root: ArcSwap::from_pointee(root),
            root_file,
            root_changes: Default::default(),
            providers,
            sign_in,
            metrics,
            settings,
        });
        broker
            .store
            .seal_trail_as(broker.secrets.load().author(&broker.run));
        broker.adopt_unchained().await?;
        broker.tell_age(&broker.signing());
        broker.settle_root().await?;
        broker.tend_signing_keys_at_start().await?;
        broker.clear_up_after_a_crash().await?;
        broker.want_missing_resources().await?;
        Ok(broker)
    }

    /// On SQLite nobody else can be making keys while this process starts, so what is unfinished was left by a crash.
    async fn clear_up_after_a_crash(&self) -> Result<(), store::Error> {
        if self.store.backend() != Backend::Sqlite {
            return Ok(());
        }
        let (run, now) = (self.run.clone(), self.now());
        let rests = self.providers.iter().map(|provider| {
            let name = provider.name();
            (name.clone(), self.rest_at(name, now))
        });
        let rests: Vec<_> = rests.collect();
        self.store
            .write(move |tx| {
                store::idempotency::clean_unfinished(tx, &run)?;
                for creation in store::idp_operations::unfinished_creations(tx)? {
                    super::outbox::throw_away(tx, &creation)?;
                }
                // What was asked of a provider may still be done there.
                for (provider, rest_at) in &rests {
                    store::idp_claims::drop_all(tx, provider, *rest_at)?;
                }
                Ok(())
            })
            .await
    }
}

async fn record_deployment(
    store: &store::Store,
    settings: &Settings,
    root: &crate::domain::sealed::RootSecret,
    (clock, random): (
        &dyn crate::domain::clock::Clock,
        &dyn crate::domain::random::Random,
    ),
) -> Result<Deployment, StartError> {
    let issuer = settings.issuer.as_str().to_owned();
    let found = store.read(deployment::find).await?;
    if let Some(found) = &found {
        if !opens(root, found) {
            return Err(StartError::WrongRootSecret);
        }
        if found.issuer != issuer && !settings.accept_new_issuer {
            return Err(StartError::OtherIssuer {
                configured: issuer,
                recorded: found.issuer.clone(),
            });
        }
    }
    let now = clock.now();
    let new = Deployment {
        id: DeploymentId::generate(random),
        issuer: issuer.clone(),
        root_check: root.check_value().to_vec(),
        next_root_check: None,
        created_at: now,
    };
    let audience = settings.issuer.management_audience();
    let identifier = audience
        .parse()
        .map_err(|_| StartError::Issuer(issuer.clone()))?;
    let management = Resource {
        id: ResourceId::generate(random),
        identifier,
        name: Some("kagiya management API".to_owned()),
        token_lifetime: TokenLifetime::default(),
        signing_algorithm: settings.default_algorithm,
        metadata_claims: Default::default(),
        reserved: true,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let ids: Vec<PermissionId> = MANAGEMENT_SCOPES
        .iter()
        .map(|_| PermissionId::generate(random))
        .collect();
    // The secrets are drawn before the transaction: its code must not borrow.
    let sealer = root.sealer();
    let draws = PurposeSecrets::draw(&sealer, random, now);
    let outcome = store
        .write(move |tx| {
            let deployment = match deployment::find(tx)? {
                Some(found) => found,
                None => {
                    deployment::insert(tx, &new)?;
                    new
                }
            };
            PurposeSecrets::record_missing(tx, &draws)?;
            record_management_resource(tx, management, &ids)?;
            if deployment.issuer != issuer {
                deployment::set_issuer(tx, &issuer)?;
            }
            Ok::<_, store::Error>(deployment)
        })
        .await;
    Ok(outcome?)
}

/// Whether a root secret is that of this deployment: one of the two while it changes.
pub(super) fn opens(root: &crate::domain::sealed::RootSecret, deployment: &Deployment) -> bool {
    let next = deployment.next_root_check.as_deref();
    root.matches(&deployment.root_check) || next.is_some_and(|next| root.matches(next))
}

/// Makes the management API's resource, or gives it the identifier of a new issuer, and the permissions that it lacks.
fn record_management_resource(
    tx: &mut store::Transaction<'_>,
    new: Resource,
    ids: &[PermissionId],
) -> Result<(), store::Error> {
    let (all, permissions) = resources::all(tx)?;
    let resource = match all.into_iter().find(|resource| resource.reserved) {
        None => {
            resources::insert(tx, &new)?;
            tx.changed(Change::Catalogue);
            new
        }
        Some(found) if found.identifier != new.identifier => {
            resources::update(
                tx,
                &Resource {
                    identifier: new.identifier,
                    ..found.clone()
                },
            )?;
            tx.changed(Change::Catalogue);
            found
        }
        Some(found) => found,
    };
    for ((name, description), id) in MANAGEMENT_SCOPES.iter().zip(ids) {
        if permissions
            .iter()
            .any(|known| known.resource_id == resource.id && known.name.as_str() == *name)
        {
            continue;
        }
        let name = name
            .parse()
            .map_err(|error| store::Error::corrupt("permissions.name", error))?;
        let permission = Permission {
            id: *id,
            resource_id: resource.id,
            name,
            description: Some((*description).to_owned()),
            created_at: resource.created_at,
        };
        resources::insert_permission(tx, &permission)?;
        tx.changed(Change::Catalogue);
    }
    Ok(())
}

fn random_name(random: &dyn crate::domain::random::Random) -> String {
    let mut name = [0u8; 16];
    random.text(crate::domain::base32::ALPHABET, &mut name);
    // Base32 text is ASCII.
    String::from_utf8_lossy(&name).into_owned()
}
