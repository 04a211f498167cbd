//! Claims on what is to be done at identity providers: one holder at a time, and none that is late.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use kagiya::domain::credential::Credential;
use kagiya::domain::id::{CredentialId, KeyId, OperationId};
use kagiya::domain::key_tag::TagGeneration;
use kagiya::domain::lifecycle::CredentialState;
use kagiya::domain::password::PasswordDigest;
use kagiya::domain::plaintext_key::UserName;
use kagiya::domain::random::SystemRandom;
use kagiya::store::idp_claims::{self, Ending, LEASE};
use kagiya::store::idp_operations::{self, Operation, OperationKind};

use crate::support::database::Database;

const REST: Duration = Duration::from_secs(60);

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn generation(key: KeyId) -> Credential {
    Credential {
        id: CredentialId::generate(&SystemRandom),
        key_id: key,
        user_name: UserName::parse("abcdefghijklmnopqrstuvwxyz").unwrap(),
        hint: String::new(),
        password_digest: PasswordDigest::new([0; 32]),
        digest_generation: 0,
        tag_generation: TagGeneration::new(0).unwrap(),
        provider_generation: 0,
        subject: None,
        state: CredentialState::Active,
        provider_rights: None,
        created_at: now(),
    }
}

/// Several operations for one generation, due now.
async fn operations(database: &Database, kinds: &[OperationKind]) -> (KeyId, Vec<Operation>) {
    let key = KeyId::generate(&SystemRandom);
    let (generation, provider) = (generation(key), "corp".parse().unwrap());
    let made: Vec<Operation> = kinds
        .iter()
        .map(|kind| {
            let id = OperationId::generate(&SystemRandom);
            Operation::new(id, *kind, (&provider, &generation), now())
        })
        .collect();
    for (second, operation) in made.clone().into_iter().enumerate() {
        let at = now() - SignedDuration::from_secs(100 - i64::try_from(second).unwrap());
        let written = database
            .store
            .write(move |tx| idp_operations::insert(tx, &operation, at));
        written.await.unwrap();
    }
    (key, made)
}

async fn take(database: &Database, key: KeyId, at: Timestamp) -> Option<Operation> {
    let taken = database
        .store
        .write(move |tx| idp_claims::take(tx, &key, REST, at));
    taken.await.unwrap()
}

async fn finish(database: &Database, operation: &Operation, at: Timestamp) -> Ending {
    let operation = operation.clone();
    let ended = database
        .store
        .write(move |tx| idp_claims::finish(tx, &operation, (at, at), Duration::ZERO));
    ended.await.unwrap()
}

#[tokio::test]
async fn of_many_who_take_up_the_work_of_a_key_one_gets_it() {
    let database = Database::new();
    let kinds = [
        OperationKind::Describe,
        OperationKind::Permit,
        OperationKind::Delete,
    ];
    let (key, made) = operations(&database, &kinds).await;
    for (turn, operation) in made.iter().enumerate() {
        let taken = join_all((0..16).map(|_| take(&database, key, now()))).await;
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken.len(), 1, "turn {turn}");
        assert_eq!(taken[0].id, operation.id, "the earliest first");
        assert_eq!(finish(&database, &taken[0], now()).await, Ending::Done);
    }
    assert!(take(&database, key, now()).await.is_none());
}

#[tokio::test]
async fn whoever_lost_his_claim_cannot_end_what_he_had() {
    let database = Database::new();
    let (key, _) = operations(&database, &[OperationKind::Permit]).await;
    let first = take(&database, key, now()).await.unwrap();
    assert!(take(&database, key, now()).await.is_none());
    let later = now() + SignedDuration::try_from(LEASE).unwrap();
    let second = take(&database, key, later).await.unwrap();
    assert!(second.claim > first.claim);
    assert_eq!(finish(&database, &first, later).await, Ending::Lost);
    // What the first one asked may still be done, so what the second one did is done once more.
    assert_eq!(finish(&database, &second, later).await, Ending::Later);
    let at_rest = later + SignedDuration::try_from(REST).unwrap();
    assert!(take(&database, key, later).await.is_none());
    let again = take(&database, key, at_rest).await.unwrap();
    assert_eq!(finish(&database, &again, at_rest).await, Ending::Done);
}

#[tokio::test]
async fn whoever_asked_after_he_had_lost_his_claim_has_it_done_again() {
    let database = Database::new();
    let (key, _) = operations(&database, &[OperationKind::Permit]).await;
    let first = take(&database, key, now()).await.unwrap();
    let id = first.id;
    assert_eq!(finish(&database, &first, now()).await, Ending::Done);
    let disturbed = database
        .store
        .write(move |tx| idp_claims::disturb(tx, &id, now(), now()));
    disturbed.await.unwrap();
    let again = take(&database, key, now()).await.unwrap();
    assert_eq!(again.id, id);
}
