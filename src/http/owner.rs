//! The owner of a key, as requests name him and answers show him.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::broker::OwnerName;
use crate::domain::id::UserId;
use crate::domain::subject::{Subject, SubjectIssuer, SubjectName};
use crate::domain::user::User;

const EXPECTED: &str = "must be a person's id, usr_…, or an object of iss and sub";

/// The owner of a key.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Owner, example = json!({"id": "usr_2qk5c7hnv3xw6yjz4m2tq7rdpa", "iss": "https://sso.example.com", "sub": "ann"}))]
pub struct OwnerObject {
    /// His id here, `usr_…`.
    #[schema(value_type = String)]
    id: UserId,
    /// Who names him.
    #[schema(value_type = String)]
    iss: SubjectIssuer,
    /// His name there.
    #[schema(value_type = String)]
    sub: SubjectName,
}

impl From<&User> for OwnerObject {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            iss: user.subject.iss.clone(),
            sub: user.subject.sub.clone(),
        }
    }
}

/// The owner in a body: `"usr_…"` or `{"iss", "sub"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerField(pub OwnerName);

impl<'de> Deserialize<'de> for OwnerField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either).map(Self)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = OwnerName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a person's id, usr_…, or an object of iss and sub")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OwnerName, E> {
        text.parse()
            .map(OwnerName::Id)
            .map_err(|_| E::custom(EXPECTED))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<OwnerName, A::Error> {
        Subject::deserialize(MapAccessDeserializer::new(members)).map(OwnerName::Subject)
    }
}

/// The owner in a query: `usr_…`, or the object as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerParameter(pub OwnerName);

impl<'de> Deserialize<'de> for OwnerParameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = || text.parse().map(OwnerName::Id).ok();
        let subject = || {
            let subject = serde_json::from_str(&text).ok();
            subject
                .filter(|_| text.starts_with('{'))
                .map(OwnerName::Subject)
        };
        id().or_else(subject)
            .map(Self)
            .ok_or_else(|| D::Error::custom(EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_an_id_or_an_issuer_with_a_subject() {
        let id = format!("usr_{}", "a".repeat(26));
        for (text, valid) in [
            (format!("\"{id}\""), true),
            (r#"{"iss":"https://a","sub":"b"}"#.to_owned(), true),
            (r#"{"iss":"https://a"}"#.to_owned(), false),
            (
                r#"{"iss":"https://a","sub":"b","id":"c"}"#.to_owned(),
                false,
            ),
            (r#"["https://a","b"]"#.to_owned(), false),
            (r#""ann""#.to_owned(), false),
            ("7".to_owned(), false),
        ] {
            assert_eq!(
                serde_json::from_str::<OwnerField>(&text).is_ok(),
                valid,
                "{text}"
            );
        }
    }
}
