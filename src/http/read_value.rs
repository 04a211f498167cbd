//! From a deserializer's complaint to the [`Problem`] that names the field.
//!
//! serde tells an unknown or missing field by its message alone, and its messages quote the input. What is quoted here is the
//! field's path and what would be right; the value never is, for it may be a secret in the wrong place.

use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The longest piece of a field's name that an answer repeats, in characters.
const LONGEST_NAME: usize = 128;

/// Reads a `T` whose fields are known and valid, else says which is not (422).
pub(super) fn read<'de, T, D>(deserializer: D) -> Result<T, Problem>
where
    T: DeserializeOwned,
    D: serde::Deserializer<'de, Error: std::fmt::Display>,
{
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| field_problem(&error.path().to_string(), &error.inner().to_string()))
}

fn field_problem(path: &str, message: &str) -> Problem {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message);
    let path = if path == "." { "" } else { path };
    if let Some(name) = quoted(message, "missing field `") {
        return Problem::missing_field(joined(path, name));
    }
    if let Some(name) = quoted(message, "unknown field `") {
        // The path ends in the unknown name itself.
        return Problem::unknown_field(shortened(if path.is_empty() { name } else { path }));
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        return Problem::repeated(joined(path, name));
    }
    let field = if path.is_empty() {
        "body".to_owned()
    } else {
        shortened(path)
    };
    Problem::invalid_parameter(field, expectation(message))
}

/// What would be right. serde's own messages have the offending value before ", expected …"; the messages of our types
/// ("must be …") are written for the reader and hold no input.
fn expectation(message: &str) -> String {
    let of_serde = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant `",
    ];
    if of_serde.iter().any(|start| message.starts_with(start)) {
        return match message.rsplit_once(", expected ") {
            Some((_, "u8" | "u16" | "u32" | "u64" | "i64")) => {
                "must be a whole number in range".to_owned()
            }
            Some((_, expected)) if expected.starts_with("struct ") => {
                "must be an object".to_owned()
            }
            Some((_, expected)) => format!("must be {expected}"),
            None => "is not valid".to_owned(),
        };
    }
    if message.starts_with("invalid digit")
        || message.starts_with("number too")
        || message.starts_with("cannot parse")
    {
        return "must be a whole number in range".to_owned();
    }
    message.to_owned()
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(start)?;
    // A name may hold a back-tick itself; what follows serde's own closing one is known.
    let end = rest
        .find("`, expected")
        .or_else(|| rest.find("`, there are no fields"))
        .or_else(|| rest.rfind('`'))?;
    Some(&rest[..end])
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        shortened(name)
    } else {
        shortened(&format!("{path}.{name}"))
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}
