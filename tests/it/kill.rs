//! `kill -9` in the middle of creating, rotating and revoking, many times over, on both databases; at random moments here, at each write
//! of a call in [`each_write`].
//!
//! Several callers are at a real server when it is killed at a random moment, the start included. It is started again on what it
//! left, and the journal of what the callers were told is the judge: what was acknowledged holds, what was not has either happened
//! whole or not at all, and in the end nothing half-made is left. The seed is printed; `KAGIYA_TEST_SEED` repeats the draws, though
//! not the scheduling of the machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod clients;
mod database;
mod dice;
mod each_write;
mod journal;
mod keycloak;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use self::clients::Client;
use self::database::Users;
use self::dice::Dice;
use self::journal::{Settled, whole};
use crate::support::database::postgres_url;
use crate::support::process::{Place, Wire};
use crate::support::test_app::PAYMENT;

const CLIENTS: usize = 5;
/// How long the callers have at most before the server is killed.
const AT_WORK: Duration = Duration::from_millis(500);
/// How long a start has at most where it is the start that is killed.
const STARTING: Duration = Duration::from_millis(150);
/// How many kills between two looks at everything.
const LOOK: usize = 25;
/// How long until what is not tidied up yet is looked at again.
const AGAIN: Duration = Duration::from_secs(3);
/// How long the reconciler may take on PostgreSQL: a creation counts as abandoned after 30 s.
const RECONCILED: Duration = Duration::from_secs(75);
/// The same at a provider that is slow on a busy machine, and of which nobody knows at once what it has done.
const RECONCILED_ELSEWHERE: Duration = Duration::from_secs(300);

#[tokio::test]
async fn what_was_acknowledged_survives_ten_kills_on_sqlite() {
    run(Place::on_sqlite(), 10).await;
}

#[tokio::test]
#[ignore = "takes minutes: run by the CI"]
async fn what_was_acknowledged_survives_two_hundred_kills_on_sqlite() {
    run(Place::on_sqlite(), 200).await;
}

#[tokio::test]
#[ignore = "takes minutes and needs PostgreSQL: run by the CI"]
async fn what_was_acknowledged_survives_two_hundred_kills_on_postgresql() {
    let server = postgres_url().expect("KAGIYA_TEST_POSTGRES_URL names a server");
    run(Place::on_postgres(&server), 200).await;
}

/// Past the capture of the test's output: it is progress, to be seen at once.
fn say(place: &Place, what: &str) {
    let database = if place.is_sqlite() {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let _ = writeln!(std::io::stderr(), "kill -9, {database}: {what}");
}

async fn run(place: Place, kills: usize) {
    let seed = Dice::seed();
    say(&place, &format!("{kills} kills, KAGIYA_TEST_SEED={seed}"));
    let mut dice = Dice::new(seed);
    // The very first start is cut off too.
    for _ in 0..kills.div_ceil(20) {
        let server = place.spawn();
        sleep(dice.less_than(STARTING)).await;
        server.kill().await;
    }
    let mut clients = prepare(&place, &mut dice).await;
    for killed in 1..=kills {
        if dice.percent(15) {
            let server = place.spawn();
            sleep(dice.less_than(STARTING)).await;
            server.kill().await;
        }
        clients = round(&place, clients, &mut dice, killed % LOOK == 0).await;
        if killed % LOOK == 0 {
            say(&place, &format!("{killed} kills, {}", told(&clients)));
        }
    }
    finish(&place, &mut clients, Users::BuiltIn).await;
    say(&place, &format!("done, {}", told(&clients)));
}

fn told(clients: &[Client]) -> String {
    let calls: usize = clients.iter().map(Client::calls).sum();
    let keys: usize = clients.iter().map(|client| client.holdings.len()).sum();
    format!("{calls} calls answered, {keys} keys")
}

/// What the callers work with.
async fn prepare(place: &Place, dice: &mut Dice) -> Vec<Client> {
    let mut server = place.spawn();
    let wire = Wire {
        address: server.address().await,
        token: place.operator_token(),
    };
    let resource = json!({"identifier": PAYMENT, "permissions": [{"name": "write:payment"}]});
    let made = whole(
        wire.manage(("POST", "/v1/resources"), None, Some(&resource))
            .await,
    );
    assert_eq!(made.status, 201, "{}", made.json);
    let organization = json!({"name": "Acme"});
    let made = whole(
        wire.manage(("POST", "/v1/organizations"), None, Some(&organization))
            .await,
    );
    let organization = made.text("id");
    server.kill().await;
    (0..CLIENTS)
        .map(|number| Client::new(number, &organization, dice.next()))
        .collect()
}

/// Starts the server, judges what the last kill left, lets the callers work and kills it.
async fn round(
    place: &Place,
    mut clients: Vec<Client>,
    dice: &mut Dice,
    everything: bool,
) -> Vec<Client> {
    let mut server = place.spawn();
    let wire = Wire {
        address: server.address().await,
        token: place.operator_token(),
    };
    let offences = if place.is_sqlite() {
        place
            .look(|connection| database::half_made(connection, Users::BuiltIn))
            .await
    } else {
        place
            .look(|connection| database::never(connection, Users::BuiltIn))
            .await
    };
    assert!(
        offences.is_empty(),
        "right after a start: {}",
        offences.join(", ")
    );
    for client in &mut clients {
        client.settle(&wire, place.is_sqlite()).await;
        client.judge(&wire, everything).await;
    }
    let killed = std::sync::Arc::new(AtomicBool::new(false));
    let work: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let (wire, killed) = (wire.clone(), std::sync::Arc::clone(&killed));
            tokio::spawn(async move { client.work(wire, &killed).await })
        })
        .collect();
    sleep(dice.less_than(AT_WORK)).await;
    killed.store(true, Ordering::SeqCst);
    server.kill().await;
    let mut back = Vec::new();
    for client in work {
        back.push(client.await.unwrap());
    }
    back
}

/// The last start: everything is judged, and nothing half-made is left.
async fn finish(place: &Place, clients: &mut [Client], users: Users) {
    let mut server = place.spawn();
    let wire = Wire {
        address: server.address().await,
        token: place.operator_token(),
    };
    let settled = async {
        loop {
            let mut open = Vec::new();
            for client in &mut *clients {
                if client.settle(&wire, place.is_sqlite()).await == Settled::NotYet {
                    open.push("a call that nobody answered cannot be repeated".to_owned());
                }
            }
            let offences =
                place.look(move |connection| database::not_in_the_end(connection, users));
            open.extend(offences.await);
            if open.is_empty() {
                return;
            }
            say(place, &format!("not yet: {}", open.join(", ")));
            sleep(AGAIN).await;
        }
    };
    let patience = match users {
        Users::BuiltIn => RECONCILED,
        Users::Elsewhere => RECONCILED_ELSEWHERE,
    };
    timeout(patience, settled)
        .await
        .expect("everything is tidied up in the end");
    for client in clients {
        client.judge(&wire, true).await;
    }
    server.kill().await;
}
