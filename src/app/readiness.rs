//! What this node needs in order to serve, as last seen: asked of it every two seconds, told from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::domain::algorithm::SigningAlgorithm;
use crate::http::health::{Check, CheckState, Readiness};

/// How often the database and the providers are asked.
const PERIOD: Duration = Duration::from_secs(2);
/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The node's state.
pub struct NodeReadiness {
    broker: Arc<Broker>,
    database: AtomicBool,
    providers: AtomicBool,
}

impl NodeReadiness {
    /// Of a node that has just started, and so had its database a moment ago.
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            database: AtomicBool::new(true),
            providers: AtomicBool::new(true),
        }
    }

    /// Keeps asking.
    pub(super) fn watch(self: &Arc<Self>) -> JoinHandle<()> {
        let readiness = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                readiness.ask().await;
                tokio::time::sleep(PERIOD).await;
            }
        })
    }

    async fn ask(&self) {
        let database = tokio::time::timeout(PATIENCE, self.broker.store().ping()).await;
        self.database
            .store(matches!(database, Ok(Ok(()))), Ordering::Relaxed);
        let mut providers = true;
        for provider in self.broker.providers().iter() {
            let health = tokio::time::timeout(PATIENCE, provider.health()).await;
            providers &= matches!(health, Ok(Ok(())));
        }
        self.providers.store(providers, Ordering::Relaxed);
    }
}

impl Readiness for NodeReadiness {
    fn checks(&self) -> Vec<Check> {
        let state = |good: bool, otherwise| if good { CheckState::Ok } else { otherwise };
        let signing = self.broker.signing();
        let signs = SigningAlgorithm::ALL
            .into_iter()
            .all(|algorithm| signing.ring.active(algorithm).is_some());
        vec![
            Check {
                check: "database",
                state: state(self.database.load(Ordering::Relaxed), CheckState::Failed),
                detail: None,
            },
            Check {
                check: "signing_key",
                state: state(signs, CheckState::Failed),
                detail: None,
            },
            Check {
                check: "identity_providers",
                state: state(self.providers.load(Ordering::Relaxed), CheckState::Degraded),
                detail: None,
            },
        ]
    }
}
