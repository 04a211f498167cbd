//! Another node on a database, without a port of its own.

use std::sync::Arc;

use kagiya::app::{App, Surroundings};
use kagiya::config::Config;
use kagiya::domain::clock::{Clock, MockClock};
use kagiya::domain::random::SystemRandom;
use kagiya::domain::sealed::RootSecret;
use kagiya::domain::secret::SecretBytes;
use kagiya::idp::IdentityProvider;
use kagiya::telemetry::logs::LineFormat;

use super::test_app::{ISSUER, ROOT_SECRET, START, TestApp};

/// The node.
pub(crate) struct Node(pub(crate) App);

impl Node {
    /// On the database at this URL.
    pub(crate) async fn on(database: &str) -> Self {
        let clock = MockClock::at(START.parse().unwrap());
        Self::start(database, Arc::new(clock), Vec::new()).await
    }

    /// On the database of an application.
    pub(crate) async fn beside(app: &TestApp) -> Self {
        Self::on(app.database().url()).await
    }

    /// The same with identity providers, and under the application's clock.
    pub(crate) async fn beside_with(
        app: &TestApp,
        providers: Vec<Arc<dyn IdentityProvider>>,
    ) -> Self {
        Self::start(app.database().url(), Arc::new(app.clock()), providers).await
    }

    async fn start(
        database: &str,
        clock: Arc<dyn Clock>,
        providers: Vec<Arc<dyn IdentityProvider>>,
    ) -> Self {
        let mut config = Config::default();
        config.database.database_url = Some(database.parse().unwrap());
        config.listener.workers = std::num::NonZeroUsize::new(1);
        let around = Surroundings {
            clock,
            random: Arc::new(SystemRandom),
            root_file: None,
            providers,
            log: Box::new(std::io::sink()),
            log_format: LineFormat::Json,
        };
        let root = RootSecret::new(SecretBytes::new(ROOT_SECRET.to_vec())).unwrap();
        let app = App::start(&config, ISSUER.parse().unwrap(), root, around).await;
        Self(app.unwrap())
    }
}
