//! What a lenient reader would let through.

use proptest::prelude::*;

use super::*;

fn read(json: &str) -> Result<StrictObject, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn a_repeated_name_is_refused_at_every_level_and_in_every_spelling() {
    for json in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"a":2}}"#,
        r#"{"x":[{"a":1,"a":2}]}"#,
    ] {
        assert!(read(json).is_err(), "{json}");
    }
    assert!(read(r#"{"a":{"a":1},"A":{"a":1}}"#).is_ok());
}

#[test]
fn sixteen_levels_are_read_and_seventeen_are_not() {
    let nested = |depth: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 1)).is_err());
    assert!(read(&nested(10_000)).is_err());
}

#[test]
fn only_one_whole_object_is_read() {
    for json in ["", "[]", "1", "null", "{} {}", "{}x", "{", r#"{"a":1e400}"#] {
        assert!(read(json).is_err(), "{json}");
    }
}

proptest! {
    #[test]
    fn what_has_no_repeated_name_is_read_as_it_is(members: std::collections::BTreeMap<String, (i64, Option<String>, Vec<bool>)>) {
        let json = serde_json::to_value(&members).unwrap();
        let read = read(&json.to_string()).unwrap();
        prop_assert_eq!(Value::Object(read.0), json);
    }
}
