//! `kill -9` at every step of issue, rotate and revoke against a real Keycloak: before a call to it goes out, and when it was done and its
//! answer is on the way.
//!
//! Afterwards no user there is without a key, none is half made, nothing that was acknowledged is lost, and neither our database nor
//! Keycloak's tables hold what opens a key.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::clients::Client;
use super::database::{self, Users};
use super::dice::Dice;
use super::{finish, prepare, say, told};
use crate::support::keycloak::Keycloak;
use crate::support::line::{Line, Meddling, Seen};
use crate::support::process::{Place, Wire};
use crate::support::witness::Witness;

/// The calls of Keycloak at which kagiya is killed: method, and what the path holds.
const STEPS: [(&str, &str, &str); 5] = [
    ("the user is made", "POST", "/users"),
    (
        "its permissions are given",
        "POST",
        "/role-mappings/clients/",
    ),
    ("it is looked for", "GET", "/users?username="),
    ("it is removed", "DELETE", "/users/"),
    ("it signs in", "POST", "/openid-connect/token"),
];
/// How long the callers work at most where that call does not come.
const AT_WORK: Duration = Duration::from_secs(4);

/// How many kills there are where nothing else is said: at each step before and after, and some more.
const KILLS: usize = 15;

/// `KAGIYA_TEST_KEYCLOAK_KILLS` says how many kills there are for each way to sign in.
#[expect(
    clippy::disallowed_methods,
    reason = "for whoever runs the tests, not for the program"
)]
fn kills() -> usize {
    let given = std::env::var("KAGIYA_TEST_KEYCLOAK_KILLS").ok();
    given.map_or(KILLS, |given| given.parse().unwrap())
}

#[tokio::test]
#[ignore = "needs Java and Maven, takes minutes: run by the CI"]
async fn what_was_acknowledged_survives_a_kill_at_every_call_of_keycloak() {
    let keycloak = Keycloak::restartable();
    // At the same time: much of it is waiting.
    let (assertions, passwords) = tokio::join!(
        survive(&keycloak, "jwt_bearer"),
        survive(&keycloak, "password")
    );
    keycloak.stop();
    let dump = keycloak.dump();
    for witness in [assertions, passwords] {
        assert!(!witness.secrets().is_empty());
        witness.assert_absent(&dump, "the tables of Keycloak");
    }
}

/// Kills a server whose users sign in this way at every call, and judges what is left; with all that opens a key.
async fn survive(keycloak: &Keycloak, way: &str) -> Witness {
    let kills = kills();
    let realm = keycloak.new_realm();
    let line = Line::to(keycloak.port());
    let place = Place::on_sqlite();
    let port = crate::support::keycloak::free_port();
    place.configure(&format!(
        "[[identity_providers]]\nname = 'corp'\nkind = 'keycloak'\ndefault = true\nsign_in = '{way}'\n\
         url = '{}'\nissuer = '{}/realms/{realm}'\nrealm = '{realm}'\nmax_rights_age = 0\n\
         jwks_uri = 'http://127.0.0.1:{port}/.well-known/jwks.json'\n",
        line.url(),
        keycloak.url(),
    ));
    place.listen(port);
    let setup = place
        .command()
        .args(["idp", "setup", "corp"])
        .envs(keycloak.variables())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&setup.stderr);
    assert!(setup.status.success(), "{errors}");

    let mut dice = Dice::new(Dice::seed());
    let mut clients = prepare(&place, &mut dice).await;
    let hit = Hit::default();
    let mut tries = [0; 2 * STEPS.len()];
    for killed in 1..=kills {
        // A call does not come each time: whichever was met least is next.
        let met = |at: &usize| (hit.times(at / 2, at % 2 == 1), tries[*at]);
        let next = (0..tries.len()).min_by_key(met).unwrap();
        tries[next] += 1;
        let (step, after, skip) = (next / 2, next % 2 == 1, dice.below(3));
        clients = round(&place, clients, (&line, step, after, skip), &hit).await;
        if killed % 10 == 0 {
            say(
                &place,
                &format!("Keycloak, {way}: {killed} kills, {}", told(&clients)),
            );
        }
    }
    line.works_again();
    finish(&place, &mut clients, Users::Elsewhere).await;
    let hit = hit.0.lock().unwrap().clone();
    say(
        &place,
        &format!(
            "Keycloak, {way}: {kills} kills, {}, by step {hit:?}",
            told(&clients)
        ),
    );
    for (step, after) in (0..STEPS.len()).flat_map(|step| [(step, false), (step, true)]) {
        let step = moment(step, after);
        assert!(hit.contains_key(&step), "never killed when {step}: {hit:?}");
    }

    // Each live generation has its user, and nobody else is there.
    let live = "SELECT count(*) AS number FROM credentials WHERE state IN ('active', 'retiring')";
    let live = place
        .look(move |connection| crate::support::database::number(connection, live))
        .await;
    let users = keycloak
        .good(
            &realm,
            ("GET", "/users?max=10000&briefRepresentation=false"),
            None,
        )
        .await;
    let ours = users.as_array().unwrap().iter().filter(|user| {
        user["username"]
            .as_str()
            .is_some_and(|name| name.starts_with("k_"))
    });
    let ours: Vec<&Value> = ours.collect();
    assert_eq!(
        i64::try_from(ours.len()).unwrap(),
        live,
        "users, and generations that live"
    );

    let witness = Witness::default();
    for holding in clients.iter().flat_map(|client| &client.holdings) {
        for key in holding.texts() {
            witness.keep_key(key);
        }
    }
    witness.assert_absent(&place.bytes(), "the database");
    witness
}

/// How often the server was killed at which call.
#[derive(Clone, Default)]
struct Hit(Arc<Mutex<BTreeMap<String, usize>>>);

impl Hit {
    fn times(&self, step: usize, after: bool) -> usize {
        let hit = self.0.lock().unwrap();
        hit.get(&moment(step, after)).copied().unwrap_or_default()
    }

    fn count(&self, step: usize, after: bool) {
        *self
            .0
            .lock()
            .unwrap()
            .entry(moment(step, after))
            .or_default() += 1;
    }
}

fn moment(step: usize, after: bool) -> String {
    let (name, ..) = STEPS[step];
    format!("{name}, {}", if after { "after" } else { "before" })
}

/// Starts the server, judges what the last kill left, lets the callers work and kills it at that call.
async fn round(
    place: &Place,
    mut clients: Vec<Client>,
    (line, step, after, skip): (&Line, usize, bool, usize),
    hit: &Hit,
) -> Vec<Client> {
    line.works_again();
    let mut server = place.spawn();
    let wire = Wire {
        address: server.address().await,
        token: place.operator_token(),
    };
    let offences = place
        .look(|connection| database::half_made(connection, Users::Elsewhere))
        .await;
    assert!(
        offences.is_empty(),
        "right after a start: {}",
        offences.join(", ")
    );
    for client in &mut clients {
        client.settle(&wire, true).await;
        client.judge(&wire, false).await;
    }
    let killed = Arc::new(AtomicBool::new(false));
    arm(
        line,
        (server.pid(), Arc::clone(&killed)),
        (step, after, skip),
        hit.clone(),
    );
    let work: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let (wire, killed) = (wire.clone(), Arc::clone(&killed));
            tokio::spawn(async move { client.work(wire, &killed).await })
        })
        .collect();
    let patience = async {
        sleep(AT_WORK).await;
        killed.store(true, Ordering::SeqCst);
        // Whether or not that call came.
        let _ = kill(server.pid());
    };
    let working = async {
        let mut back = Vec::new();
        for client in work {
            back.push(client.await.unwrap());
        }
        back
    };
    tokio::pin!(working);
    let back = tokio::select! {
        back = &mut working => back,
        () = patience => working.await,
    };
    server.kill().await;
    back
}

/// Has the server killed at a call, once so many of them went by.
fn arm(
    line: &Line,
    (pid, killed): (u32, Arc<AtomicBool>),
    (step, after, skip): (usize, bool, usize),
    hit: Hit,
) {
    let (_, method, part) = STEPS[step];
    let (seen_before, server) = (AtomicUsize::new(0), AtomicU32::new(pid));
    line.meddle(move |seen: &Seen| {
        let fits = seen.method == method
            && seen.path.contains(part)
            // Making a user, and not what is below one.
            && (part != "/users" || seen.path.ends_with(part))
            && (method != "DELETE" || !seen.path.contains("/role-mappings"))
            && (part != "/openid-connect/token" || seen.is_sign_in());
        if !fits || seen_before.fetch_add(1, Ordering::SeqCst) < skip {
            return Meddling::Pass;
        }
        let pid = server.swap(0, Ordering::SeqCst);
        if pid == 0 {
            return Meddling::CutBefore;
        }
        let (killed, hit) = (Arc::clone(&killed), hit.clone());
        let end = move || {
            killed.store(true, Ordering::SeqCst);
            let _ = kill(pid);
            hit.count(step, after);
        };
        if after {
            return Meddling::DoneThen(Box::new(end));
        }
        end();
        Meddling::CutBefore
    });
}

fn kill(pid: u32) -> std::io::Result<()> {
    Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()?;
    Ok(())
}
