//! Reading the schemas of an OpenAPI document: what a type is called, and what a value of it looks like.

use serde_json::Value;

pub(super) fn type_of(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = resolved(document, schema);
        return if target["type"] == "object" {
            last_segment(reference).to_owned()
        } else {
            type_of(document, target)
        };
    }
    for union in ["oneOf", "anyOf", "allOf"] {
        if schema[union].is_array() {
            let types: Vec<String> = items(&schema[union])
                .iter()
                .map(|schema| type_of(document, schema))
                .collect();
            return types.join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => {
            format!("list of {}", type_of(document, &schema["items"]))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

/// A value of the schema's shape: its example where it has one, else the required members only.
pub(super) fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    match schema["type"].as_str() {
        _ if depth > 8 => Value::Null,
        Some("object") => {
            let required = items(&schema["required"]).iter().filter_map(Value::as_str);
            required
                .map(|name| {
                    (
                        name.to_owned(),
                        sample(document, &schema["properties"][name], depth + 1),
                    )
                })
                .collect()
        }
        Some("array") => Value::Array(vec![sample(document, &schema["items"], depth + 1)]),
        Some("integer" | "number") => 1.into(),
        Some("boolean") => true.into(),
        Some(_) => schema["enum"][0].as_str().unwrap_or("…").into(),
        None => Value::Null,
    }
}

pub(super) fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null),
        None => schema,
    }
}

fn last_segment(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}
