//! The catalogue against itself: every language has every message, with the same values; and against what the pages ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;

/// The messages of a language, each with the names of the values in it.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in language.source().lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            let (key, _) = line.split_once(" =").expect("a message");
            current = key.to_owned();
            let before = messages.insert(current.clone(), BTreeSet::new());
            assert!(before.is_none(), "{current} is there twice");
        }
        for (at, _) in line.match_indices('$') {
            let name: String = line[at + 1..]
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric())
                .collect();
            messages.entry(current.clone()).or_default().insert(name);
        }
    }
    messages
}

#[test]
fn every_language_says_the_same_things_with_the_same_values() {
    let english = messages(Language::English);
    for language in [Language::Japanese, Language::Korean] {
        let other = messages(language);
        let keys = |of: &BTreeMap<String, _>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&english), keys(&other), "{}", language.tag());
        for (key, values) in &english {
            assert_eq!(values, &other[key], "{key} in {}", language.tag());
        }
    }
}

#[test]
fn every_catalogue_is_read_without_a_mistake() {
    for language in Language::ALL {
        let read = FluentResource::try_new(language.source().to_owned());
        let mistakes = read.err().map(|(_, mistakes)| mistakes);
        assert!(mistakes.is_none(), "{}: {mistakes:?}", language.tag());
    }
}

/// Keys that a source asks for: what stands behind `t(`, `one(`, `with(` and `mix(`, and lists of keys that are mapped.
fn asked(source: &str) -> BTreeSet<String> {
    let is_key = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let mut found = BTreeSet::new();
    for call in [".t(", ".one(", ".with(", ".mix("] {
        for (at, _) in source.match_indices(call) {
            if !source[..at].trim_end().ends_with("words") {
                continue;
            }
            let rest = source[at + call.len()..].trim_start();
            let Some(rest) = rest.strip_prefix('"') else {
                continue;
            };
            let key = rest.split('"').next().unwrap_or_default();
            if is_key(key) {
                found.insert(key.to_owned());
            }
        }
    }
    found
}

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.file_name().is_none_or(|name| name != "tests.rs") {
                let text = std::fs::read_to_string(&path).expect("a text");
                found.push((path.display().to_string(), text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join("src/dashboard"), &mut found);
    walk(&root.join("templates"), &mut found);
    found
}

#[test]
fn what_the_pages_ask_for_is_in_the_catalogue() {
    let known = messages(Language::English);
    for (file, source) in sources() {
        for key in asked(&source) {
            assert!(known.contains_key(&key), "{file} asks for {key}");
        }
    }
}

#[test]
fn nothing_in_the_catalogue_is_never_said() {
    let all: String = sources().into_iter().map(|(_, source)| source).collect();
    for key in messages(Language::English).keys() {
        assert!(all.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
}

#[test]
fn templates_hold_no_words_of_their_own() {
    for (file, source) in sources() {
        if !file.ends_with(".html") {
            continue;
        }
        // What stands outside tags and expressions, and in the attributes that people read.
        let mut text = String::new();
        let mut rest = source.as_str();
        while let Some(at) = rest.find(['<', '{']) {
            text.push_str(&rest[..at]);
            let (close, open) = match rest[at..].chars().next() {
                Some('<') => (">", 1),
                _ => ("}", 1),
            };
            let tag = &rest[at..];
            let end = if tag.starts_with("{{") {
                tag.find("}}").map(|end| end + 2)
            } else if tag.starts_with("{%") {
                tag.find("%}").map(|end| end + 2)
            } else {
                tag_end(tag)
            };
            let end = end.unwrap_or_else(|| panic!("{file}: {close} is missing behind {open}"));
            for attribute in ["aria-label=\"", "title=\"", "placeholder=\"", "alt=\""] {
                for (at, _) in tag[..end].match_indices(attribute) {
                    let value = &tag[at + attribute.len()..end];
                    let value = value.split('"').next().unwrap_or_default();
                    let own = value.split("{{").next().unwrap_or_default();
                    assert!(
                        !own.chars().any(char::is_alphabetic),
                        "{file}: {attribute}{value}"
                    );
                }
            }
            rest = &rest[at + end..];
        }
        text.push_str(rest);
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| word.chars().any(char::is_alphabetic))
            .collect();
        assert!(words.is_empty(), "{file} says {words:?}");
    }
}

/// Where a tag ends: at the first `>` outside an expression.
fn tag_end(tag: &str) -> Option<usize> {
    let mut at = 0;
    while at < tag.len() {
        let rest = &tag[at..];
        if rest.starts_with("{{") {
            at += rest.find("}}")? + 2;
        } else if rest.starts_with("{%") {
            at += rest.find("%}")? + 2;
        } else if rest.starts_with('>') {
            return Some(at + 1);
        } else {
            at += rest.chars().next()?.len_utf8();
        }
    }
    None
}

#[test]
fn the_browsers_wish_decides_by_its_weights() {
    for (accept, language) in [
        ("", Language::English),
        ("ja", Language::Japanese),
        ("ko-KR,ko;q=0.9,en;q=0.8", Language::Korean),
        ("en;q=0.5,ja;q=0.9", Language::Japanese),
        ("fr,de;q=0.9", Language::English),
        ("ja;q=0,ko", Language::Korean),
        ("*", Language::English),
        ("not a language;;;", Language::English),
        ("ja-JP", Language::Japanese),
    ] {
        let chosen = Language::negotiate(accept, Language::English);
        assert_eq!(chosen, language, "{accept}");
    }
}

#[test]
fn markup_goes_into_a_sentence_and_a_text_does_not() {
    let words = Words::new(Language::English);
    let name = Markup::strong("<b>");
    let html = words.mix("revoke-name", [("name", &name)]);
    assert_eq!(html.as_str(), "Its name is <strong>&lt;b&gt;</strong>.");
}

#[test]
fn plurals_are_those_of_the_language() {
    let english = Words::new(Language::English);
    assert_eq!(english.one("keys-count", "count", 1_i64).as_str(), "1 key");
    assert_eq!(
        english.one("keys-count", "count", 1_234_i64).as_str(),
        "1,234 keys"
    );
    let japanese = Words::new(Language::Japanese);
    assert_eq!(
        japanese.one("keys-count", "count", 2_i64).as_str(),
        "2件のキー"
    );
}

/// What is shown as somebody's own words, or as code, must not be words of ours: those come from the catalogue.
#[test]
fn no_page_says_what_is_not_in_the_catalogue() {
    let shows = [
        "Value::Data(",
        "Value::Code(",
        "Choice::data(",
        ".heading(",
        ".crumb(",
        "Markup::text(",
        "Markup::strong(",
        "label: \"",
        "title: \"",
        "Text(",
    ];
    for (file, source) in sources() {
        if !file.ends_with(".rs") || file.ends_with("language.rs") {
            continue;
        }
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for show in shows {
            for (at, _) in source.match_indices(show) {
                let said = source[at + show.len()..].trim_start();
                let said = if show.ends_with('"') {
                    Some(said)
                } else {
                    said.strip_prefix('"')
                };
                let said = said.and_then(|said| said.split('"').next());
                let words = said.is_some_and(|said| said.chars().any(char::is_alphabetic));
                assert!(!words, "{file}: {show}{}", said.unwrap_or_default());
            }
        }
    }
}
