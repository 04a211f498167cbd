//! The configuration: file < environment (`KAGIYA_…`) < flag, one struct for each section.
//!
//! A setting has one name: `lifetime_seconds` in the table `[token]` of the file is the variable
//! `KAGIYA_TOKEN_LIFETIME_SECONDS`; a setting above all tables, such as `listen`, is `KAGIYA_LISTEN` and, where the command line
//! offers it, `--listen`. The fields of the structs below are that list: nothing else is accepted, from the file or from the
//! environment, and a name that is not known is refused together with the nearest one that is.
//!
//! The environment is passed in ([`Environment`]); nothing here reads that of the process. A variable with an empty value
//! counts as not given. Lists are separated by commas in a variable. Paths are relative to the working directory.

mod cache;
mod dashboard;
mod database;
mod environment;
mod error;
mod fields;
mod forward_auth;
mod identity_providers;
mod keys;
mod layers;
mod limits;
mod listener;
mod log;
mod organizations;
mod readiness;
mod retention;
mod rotation;
mod secrets;
mod server;
mod shutdown;
mod sign_in;
mod signing;
mod tls;
mod token;
mod usage;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use self::cache::Cache;
pub use self::dashboard::{Colour, Dashboard};
pub use self::database::{Database, DatabaseUrl, ParseDatabaseUrlError};
pub use self::environment::Environment;
pub use self::error::{Error, Origin, UnknownName};
pub use self::forward_auth::{ForwardAuth, Routes};
pub use self::identity_providers::{
    Answer, Authority, IdentityProvider, OnOutage, ProviderKind, SignInWay,
};
pub use self::keys::Keys;
use self::layers::Layers;
pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::log::{Log, LogFormat};
pub use self::organizations::{DefaultPermission, Organizations};
pub use self::readiness::Readiness;
pub use self::retention::Retention;
pub use self::rotation::Rotation;
pub use self::secrets::Secrets;
pub use self::server::Server;
pub use self::shutdown::Shutdown;
pub use self::sign_in::SignIn;
pub use self::signing::Signing;
pub use self::tls::Tls;
pub use self::token::Token;
pub use self::usage::Usage;

/// Everything that can be set; [`Config::default`] is what `kagiya serve` runs with when nothing is.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where it listens and who it says it is: the settings above all tables.
    pub listener: Listener,
    /// Where the data is; above all tables too.
    pub database: Database,
    /// The root secret; above all tables too.
    pub secrets: Secrets,
    /// `[[routes]]`: what the requests behind a gateway need.
    pub routes: Routes,
    /// `[tls]`: the certificate.
    pub tls: Tls,
    /// `[server]`: connections.
    pub server: Server,
    /// `[token]`: what is minted.
    pub token: Token,
    /// `[keys]`: how keys look.
    pub keys: Keys,
    /// `[organizations]`: what new organizations get.
    pub organizations: Organizations,
    /// `[cache]`: how much is held in memory.
    pub cache: Cache,
    /// `[limits]`: how much is taken from one address.
    pub limits: Limits,
    /// `[usage]`: how use is counted.
    pub usage: Usage,
    /// `[signing]`: the signing keys and the JWK set.
    pub signing: Signing,
    /// `[forward_auth]`: how gateways are answered.
    pub forward_auth: ForwardAuth,
    /// `[sign_in]`: where people sign in.
    pub sign_in: SignIn,
    /// `[[identity_providers]]`: providers beside the built-in one.
    pub identity_providers: Vec<IdentityProvider>,
    /// `[dashboard]`: the pages for people.
    pub dashboard: Dashboard,
    /// `[secrets]`: how secrets are replaced.
    pub rotation: Rotation,
    /// `[retention]`: for how long what has served its purpose is kept.
    pub retention: Retention,
    /// `[readiness]`: what `/readyz` goes by.
    pub readiness: Readiness,
    /// `[log]`: what is logged, and how.
    pub log: Log,
    /// `[shutdown]`: how it stops.
    pub shutdown: Shutdown,
}

/// Where settings come from, the weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that `--config` names; without one, that of `KAGIYA_CONFIG`; without either, none is read.
    pub file: Option<PathBuf>,
    /// The `KAGIYA_…` variables.
    pub environment: Environment,
    /// Settings from the command line: the name in the file, such as `database_url`, and the value as text.
    pub flags: Vec<(&'static str, String)>,
}

impl Config {
    /// Reads all layers and checks them, each setting alone and all together.
    ///
    /// # Errors
    /// Names the file and line, the variable or the flag that has to change; never repeats a secret.
    pub fn load(sources: &Sources) -> Result<Self, Error> {
        let mut layers = Layers::read(sources)?;
        let config = Self::take(&mut layers)?;
        layers.refuse_unknown()?;
        config
            .listener
            .check_exposure(config.tls.files().is_some())?;
        Ok(config)
    }

    /// THE list of sections.
    fn take(layers: &mut Layers<'_>) -> Result<Self, Error> {
        Ok(Self {
            listener: layers.take()?,
            database: layers.take()?,
            secrets: layers.take()?,
            routes: layers.take()?,
            tls: layers.take()?,
            server: layers.take()?,
            token: layers.take()?,
            keys: layers.take()?,
            organizations: layers.take()?,
            cache: layers.take()?,
            limits: layers.take()?,
            usage: layers.take()?,
            signing: layers.take()?,
            forward_auth: layers.take()?,
            sign_in: layers.take()?,
            identity_providers: layers.take_list("identity_providers", IdentityProvider::settle)?,
            dashboard: layers.take()?,
            rotation: layers.take()?,
            retention: layers.take()?,
            readiness: layers.take()?,
            log: layers.take()?,
            shutdown: layers.take()?,
        })
    }

    /// How long `/readyz` says 503 before the listener closes: as set, else nothing on loopback and 5 s elsewhere, where a
    /// load balancer needs the time to look away.
    pub fn drain(&self) -> Duration {
        let default = if self.listener.is_loopback() { 0 } else { 5 };
        Duration::from_secs(self.shutdown.drain_seconds.map_or(default, u64::from))
    }
}

#[cfg(test)]
mod tests;
