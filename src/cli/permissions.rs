//! Permissions on the command line: pairs of a resource's identifier and its scopes, separated by spaces.

use serde_json::{Value, json};

use super::print;

/// The pairs that clap gives one after the other, as a request has them.
pub(super) fn as_json(pairs: &[String]) -> Value {
    let permissions = pairs.chunks_exact(2).map(|pair| {
        let scopes: Vec<&str> = pair[1].split_whitespace().collect();
        json!({ "resource": pair[0], "scopes": scopes })
    });
    permissions.collect()
}

/// As people read them: `RESOURCE: SCOPES; …`, nothing as `-`.
pub(super) fn in_words(permissions: &Value) -> String {
    let one = |at: &Value| {
        format!(
            "{}: {}",
            print::text(&at["resource"]),
            print::text(&at["scopes"])
        )
    };
    match permissions.as_array() {
        Some(all) if !all.is_empty() => all.iter().map(one).collect::<Vec<_>>().join("; "),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_shown() {
        let pairs = ["https://a.example", "r w", "https://b.example", "r"].map(str::to_owned);
        let value = as_json(&pairs);
        assert_eq!(
            value[0],
            json!({"resource": "https://a.example", "scopes": ["r", "w"]})
        );
        assert_eq!(
            in_words(&value),
            "https://a.example: r w; https://b.example: r"
        );
        assert_eq!(in_words(&Value::Null), "-");
    }
}
