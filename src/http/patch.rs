//! Members of a `PATCH` body: an absent one is unchanged, `null` clears it (RFC 7396 §1).

use serde::{Deserialize, Deserializer};

use super::problem::Problem;

/// What a `PATCH` wants of one member. Needs `#[serde(default)]` on the field, else absent is an error, and for the OpenAPI
/// document `#[schema(value_type = Option<…>)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Unchanged,
    /// Clear it.
    Clear,
    /// Set it to this.
    Set(T),
}

impl<T> Patch<T> {
    /// `None` when nothing changes, else the new value (`None`: cleared).
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Unchanged => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// The same for a member that always has a value; `None` when nothing changes.
    ///
    /// # Errors
    /// 422 for `null`, with the member's name.
    pub fn unless_null(self, field: &str) -> Result<Option<T>, Problem> {
        match self {
            Self::Unchanged => Ok(None),
            Self::Clear => Err(Problem::invalid_parameter(field, "must not be null")),
            Self::Set(value) => Ok(Some(value)),
        }
    }
}

impl<T: Default> Patch<T> {
    /// The same for a member whose absence is its default; `None` when nothing changes.
    pub fn or_default(self) -> Option<T> {
        self.change().map(Option::unwrap_or_default)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            Some(value) => Self::Set(value),
            None => Self::Clear,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Change {
        #[serde(default)]
        name: Patch<String>,
    }

    fn read(text: &str) -> Patch<String> {
        serde_json::from_str::<Change>(text).unwrap().name
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        assert_eq!(read("{}").change(), None);
        assert_eq!(read(r#"{"name":null}"#).change(), Some(None));
        assert_eq!(read(r#"{"name":"a"}"#).change(), Some(Some("a".to_owned())));
    }

    #[test]
    fn a_member_that_always_has_a_value_cannot_be_cleared() {
        let change = |text| read(text).unless_null("name");
        assert_eq!(change("{}").ok(), Some(None));
        assert_eq!(change(r#"{"name":"a"}"#).ok(), Some(Some("a".to_owned())));
        let refused = change(r#"{"name":null}"#).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "invalid_parameter: name: must not be null"
        );
    }

    #[test]
    fn a_cleared_member_with_a_default_has_that() {
        assert_eq!(read("{}").or_default(), None);
        assert_eq!(read(r#"{"name":null}"#).or_default(), Some(String::new()));
    }
}
