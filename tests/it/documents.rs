//! What the documents show is what the tests run.

use std::fs;
use std::path::Path;

use kagiya::domain::key_tag::{TagGeneration, TagSecret, TagSecrets};
use kagiya::domain::password::{DigestSecret, ProviderSecret};
use kagiya::domain::plaintext_key::UnverifiedKey;
use kagiya::domain::prefix::KeyPrefixes;

#[test]
fn the_verifiers_in_the_document_are_the_ones_that_run() {
    let document = text("docs/verify-tokens.md");
    for (language, file) in [
        ("js", "tests/verify/verify.mjs"),
        ("python", "tests/verify/verify.py"),
    ] {
        assert_eq!(
            block(&document, language),
            text(file),
            "docs/verify-tokens.md shows another {file}"
        );
    }
}

#[test]
fn the_lock_file_of_the_node_verifier_names_no_registry() {
    let lock = text("tests/verify/package-lock.json");
    assert!(!lock.contains("\"resolved\""), "see tests/verify/.npmrc");
}

#[test]
fn the_known_answers_of_the_key_format_are_ours() {
    let document = text("docs/key-format.md");
    let (_, table) = document.split_once("<!-- vectors -->").expect("a mark");
    let value = |what: &str| -> &str {
        let row = format!("| {what} | `");
        let (_, after) = table.split_once(&row).expect(what);
        after.split_once('`').expect("a closed value").0
    };
    let secret = |what| -> [u8; 32] { value(what).as_bytes().try_into().expect("32 bytes") };
    let prefixes = KeyPrefixes::new(
        "kgy".parse().expect("a prefix"),
        ["acme2".parse().expect("one")],
    );

    for (key, tag_secret, generation) in [
        ("key", "tag secret", b'0'),
        ("other key", "other tag secret", b'z'),
    ] {
        let generation = TagGeneration::from_letter(generation).expect("a generation");
        let secrets = TagSecrets::new([(generation, TagSecret::new(secret(tag_secret)))]);
        let read = UnverifiedKey::parse(value(key).as_bytes(), &prefixes).expect(key);
        assert_eq!(secrets.verify(&read), Ok(()), "{key}");
    }

    let key = UnverifiedKey::parse(value("key").as_bytes(), &prefixes).expect("read above");
    let name = key.user_name();
    assert_eq!(name.as_str(), value("user name"));
    assert_eq!(key.password(), value("password").as_bytes());
    assert!(value("key").ends_with(&format!("{}{}", value("tag"), value("checksum"))));
    let digest = DigestSecret::new(secret("digest secret")).digest(&name, key.password());
    let hex: String = digest
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, value("digest"));
    let provider = ProviderSecret::new(secret("provider secret"));
    assert_eq!(
        provider.password(&name, key.password()).expose(),
        value("password at provider")
    );
}

/// What stands between ```` ```language ```` and the next ```` ``` ````; the document has one such block.
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let open = format!("```{language}\n");
    let (_, after) = document.split_once(&open).expect("the block is there");
    let end = after.find("```").expect("the block is closed");
    &after[..end]
}

fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
