//! What the database says: its version, its time, and the signing keys in it.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, chain};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::clock::Clock;
use crate::store::{Store, audit_events, signing_keys};

/// How far two clocks may be apart: tokens live for 30 seconds at least.
const APART: SignedDuration = SignedDuration::from_secs(5);

/// Whether the tables are those of this program.
pub(super) async fn migrations(store: &Store) -> Finding {
    const CHECK: &str = "migrations";
    match (store.unknown_migrations(), store.pending_migrations()) {
        (Err(error), _) | (_, Err(error)) => Finding::failed(
            CHECK,
            chain(&error),
            "look at the database; kagiya restore puts a backup back",
        ),
        (Ok(unknown), _) if !unknown.is_empty() => Finding::failed(
            CHECK,
            format!("a newer kagiya changed the tables: {}", unknown.join(", ")),
            "run the newer version, or restore the backup that was made before the upgrade",
        ),
        (_, Ok(pending)) if !pending.is_empty() => Finding::failed(
            CHECK,
            format!("to be applied: {}", pending.join(", ")),
            "kagiya migrate, or start kagiya serve",
        ),
        _ => Finding::ok(CHECK, "up to date"),
    }
}

/// Whether the clock here goes with the database's, and with what was written last.
pub(super) async fn clock(store: &Store, clock: &dyn Clock) -> Finding {
    const CHECK: &str = "clock";
    let remedy =
        "set the clock, and let chrony or systemd-timesyncd keep it: tokens and expiries go by it";
    let told = store.server_time().await;
    let newest = store.read(audit_events::newest).await;
    let now = clock.now();
    match (told, newest) {
        (Err(error), _) | (_, Err(error)) => Finding::failed(CHECK, chain(&error), remedy),
        (Ok(Some(there)), _) if apart(now, there) > APART => {
            let detail = format!("it is {now} here and {there} at the database");
            Finding::failed(CHECK, detail, remedy)
        }
        (_, Ok(Some(newest))) if newest > now && apart(now, newest) > APART => {
            let detail = format!("it is {now} here, and the newest change was made at {newest}");
            Finding::failed(CHECK, detail, remedy)
        }
        _ => Finding::ok(CHECK, format!("{now}")),
    }
}

fn apart(one: Timestamp, other: Timestamp) -> SignedDuration {
    one.duration_since(other).abs()
}

/// Whether each algorithm has a key that signs and one that comes next.
pub(super) async fn signing_keys(store: &Store, default: SigningAlgorithm) -> Finding {
    const CHECK: &str = "signing_keys";
    let remedy = "a running server makes what is missing within a minute: start kagiya serve, or look in its log for \
                  \"the signing keys could not be tended\"";
    let keys = match store.read(signing_keys::all).await {
        Ok(keys) => keys,
        Err(error) => return Finding::failed(CHECK, chain(&error), remedy),
    };
    let has = |algorithm, state: &str| {
        keys.iter()
            .any(|key| key.algorithm == algorithm && key.state == state)
    };
    let used: Vec<SigningAlgorithm> = SigningAlgorithm::ALL
        .into_iter()
        .filter(|algorithm| {
            *algorithm == default || keys.iter().any(|key| key.algorithm == *algorithm)
        })
        .collect();
    let missing: Vec<String> = used
        .iter()
        .flat_map(|algorithm| ["active", "next"].map(|state| (*algorithm, state)))
        .filter(|(algorithm, state)| !has(*algorithm, state))
        .map(|(algorithm, state)| format!("{state} {algorithm}"))
        .collect();
    if missing.is_empty() {
        Finding::ok(CHECK, format!("{} keys, each with a next one", keys.len()))
    } else {
        let detail = format!("missing: {}", missing.join(", "));
        Finding::failed(CHECK, detail, remedy)
    }
}
