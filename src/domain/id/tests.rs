//! Ids as they are drawn and read.

use super::*;
use crate::domain::random::SystemRandom;

#[test]
fn a_drawn_id_reads_back() {
    let id = KeyId::generate(&SystemRandom);
    assert_eq!(id.as_str().len(), LENGTH);
    assert_eq!(id.as_str().parse::<KeyId>().unwrap(), id);
    assert_eq!(
        serde_json::from_str::<KeyId>(&serde_json::to_string(&id).unwrap()).unwrap(),
        id
    );
}

#[test]
fn one_kind_is_not_taken_for_another() {
    let key = KeyId::generate(&SystemRandom);
    assert!(key.as_str().parse::<OrganizationId>().is_err());
}

#[test]
fn other_spellings_are_refused() {
    let id = KeyId::generate(&SystemRandom).to_string();
    let upper = format!("key_{}", id[4..].to_uppercase());
    for text in [
        "",
        "key_",
        &id[..29],
        &format!("{id}a"),
        &format!(" {id}"),
        &upper,
        &format!("key_{}1", &id[4..29]),
    ] {
        assert!(text.parse::<KeyId>().is_err(), "{text}");
    }
}
