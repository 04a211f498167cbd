//! The key's spelling: vectors that never change, and a sweep over every other spelling.

use proptest::prelude::*;

use super::*;
use crate::domain::key_tag::{KeyTagError, TagSecrets};
use crate::domain::random::SystemRandom;

/// The vectors of `docs/key-format.md`, which shows the same.
const TAG_SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const USER_NAME: &str = "abcdefghijklmnopqrstuvwxyz";
const PASSWORD: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

fn prefixes(current: &str, earlier: &[&str]) -> KeyPrefixes {
    KeyPrefixes::new(
        current.parse().unwrap(),
        earlier.iter().map(|prefix| prefix.parse().unwrap()),
    )
}

fn vector() -> PlaintextKey {
    let generation = TagGeneration::from_letter(b'0').unwrap();
    let user_name = UserName::parse(USER_NAME).unwrap();
    PlaintextKey::assemble(
        &"kgy".parse().unwrap(),
        generation,
        &TagSecret::new(TAG_SECRET),
        (user_name, PASSWORD),
    )
}

fn secrets() -> TagSecrets {
    TagSecrets::new([(TagGeneration::default(), TagSecret::new(TAG_SECRET))])
}

const KNOWN_KEY: &str = "kgy_10abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgl2u6ekgvpnqqf7ytd46vvox4go0gDBwU";

#[test]
fn the_known_answer_stays_as_it_is() {
    assert_eq!(vector().expose(), KNOWN_KEY);
}

#[test]
fn a_key_has_107_characters_and_reads_back() {
    let secret = TagSecret::new(TAG_SECRET);
    let key = PlaintextKey::generate(
        &"kgy".parse().unwrap(),
        TagGeneration::default(),
        &secret,
        &SystemRandom,
    );
    assert_eq!(key.expose().len(), 107);
    let prefixes = prefixes("kgy", &[]);
    let read = UnverifiedKey::parse(key.expose().as_bytes(), &prefixes).unwrap();
    assert_eq!(read.user_name(), key.user_name());
    assert!(read.password() == key.password());
    assert!(secrets().verify(&read).is_ok());
}

#[test]
fn white_space_around_a_key_is_ignored_and_inside_it_is_not() {
    let prefixes = prefixes("kgy", &[]);
    let key = vector();
    let around = format!(" \t{}\r\n", key.expose());
    assert!(UnverifiedKey::parse(around.as_bytes(), &prefixes).is_ok());
    let inside = key.expose().replacen("_1", "_ 1", 1);
    assert!(UnverifiedKey::parse(inside.as_bytes(), &prefixes).is_err());
}

#[test]
fn a_key_with_an_earlier_prefix_stays_valid_and_a_foreign_one_is_refused() {
    let key = vector();
    let renamed = prefixes("acme", &["kgy"]);
    assert!(
        secrets()
            .verify(&UnverifiedKey::parse(key.expose().as_bytes(), &renamed).unwrap())
            .is_ok()
    );
    let foreign = prefixes("acme", &[]);
    assert_eq!(
        UnverifiedKey::parse(key.expose().as_bytes(), &foreign).err(),
        Some(ParseKeyError::Prefix)
    );
}

#[test]
fn each_broken_rule_has_its_own_error() {
    let prefixes = prefixes("kgy", &[]);
    let key = vector();
    let text = key.expose();
    let cases: [(String, ParseKeyError); 9] = [
        (String::new(), ParseKeyError::Prefix),
        ("kgy".into(), ParseKeyError::Prefix),
        (text.replacen("kgy", "KGY", 1), ParseKeyError::Prefix),
        ("kgy_".into(), ParseKeyError::Length),
        (text[..106].into(), ParseKeyError::Length),
        (format!("{text}0"), ParseKeyError::Length),
        (text.replacen("_1", "_2", 1), ParseKeyError::Version),
        (text.replacen("abc", "aBc", 1), ParseKeyError::Alphabet),
        (text.replacen("ABC", "ABD", 1), ParseKeyError::Checksum),
    ];
    for (presented, error) in cases {
        assert_eq!(
            UnverifiedKey::parse(presented.as_bytes(), &prefixes).err(),
            Some(error),
            "{presented:?}"
        );
    }
}

#[test]
fn a_right_checksum_does_not_make_a_tag() {
    let prefixes = prefixes("kgy", &[]);
    let forged = TagSecret::new([7; 32]);
    let key = PlaintextKey::generate(
        &"kgy".parse().unwrap(),
        TagGeneration::default(),
        &forged,
        &SystemRandom,
    );
    let read = UnverifiedKey::parse(key.expose().as_bytes(), &prefixes).unwrap();
    assert_eq!(secrets().verify(&read), Err(KeyTagError::Mismatch));
}

#[test]
fn a_generation_that_is_not_held_is_told_apart_from_a_wrong_tag() {
    let prefixes = prefixes("kgy", &[]);
    let later = TagGeneration::from_letter(b'z').unwrap();
    let key = PlaintextKey::generate(
        &"kgy".parse().unwrap(),
        later,
        &TagSecret::new(TAG_SECRET),
        &SystemRandom,
    );
    let read = UnverifiedKey::parse(key.expose().as_bytes(), &prefixes).unwrap();
    assert_eq!(secrets().verify(&read), Err(KeyTagError::UnknownGeneration));
}

#[test]
fn the_hint_shows_the_prefix_and_four_letters_of_the_public_name() {
    assert_eq!(
        vector().user_name().hint(&"kgy".parse().unwrap()),
        "kgy_…wxyz"
    );
}

#[test]
fn debug_output_of_a_key_is_its_type() {
    assert_eq!(format!("{:?}", vector()), "PlaintextKey");
}

proptest! {
    #[test]
    fn any_change_of_one_character_is_refused(place in 0usize..107, byte in any::<u8>()) {
        let prefixes = prefixes("kgy", &[]);
        let mut text = vector().expose().as_bytes().to_vec();
        prop_assume!(text[place] != byte);
        // White space at the edge would be trimmed, and the rest is then too short all the same.
        text[place] = byte;
        let accepted = UnverifiedKey::parse(&text, &prefixes).is_ok_and(|key| secrets().verify(&key).is_ok());
        prop_assert!(!accepted);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = UnverifiedKey::parse(&text, &prefixes("kgy", &["old"]));
    }

    #[test]
    fn every_generated_key_reads_back_under_its_generation(letter in "[0-9A-Za-z]", prefix in "[a-z][a-z0-9]{1,15}") {
        let generation = TagGeneration::from_letter(letter.as_bytes()[0]).unwrap();
        let secret = TagSecret::new(TAG_SECRET);
        let key = PlaintextKey::generate(&prefix.parse().unwrap(), generation, &secret, &SystemRandom);
        let prefixes = prefixes(&prefix, &[]);
        let read = UnverifiedKey::parse(key.expose().as_bytes(), &prefixes).unwrap();
        prop_assert_eq!(read.tag_generation(), generation);
        prop_assert!(TagSecrets::new([(generation, secret)]).verify(&read).is_ok());
    }
}
