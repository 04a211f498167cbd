//! The names of a section's settings, taken from its struct, and the nearest one to a name that is not among them.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The names of the fields of `T`, as its derived `Deserialize` knows them, so that the struct stays the only list.
pub(super) fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It always fails: it has no values to give, only asks which fields are wanted.
    let _ = T::deserialize(Asking(&mut names));
    names
}

/// The known name that `name` was probably meant to be.
///
/// The whole path counts, and its last part alone too, so that a setting in the wrong table is found.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.6;
    let score = |candidate: &str| {
        let whole = strsim::normalized_damerau_levenshtein(name, candidate);
        let last = strsim::normalized_damerau_levenshtein(last_part(name), last_part(candidate));
        whole.max(last * 0.95)
    };
    known
        .into_iter()
        .map(|candidate| (score(candidate), candidate))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

struct Asking<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_misplaced_name_finds_its_setting() {
        let known = [
            "listen",
            "token.lifetime_seconds",
            "cache.keys",
            "shutdown.grace_seconds",
        ];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(
            nearest("token.lifetime_second", known),
            Some("token.lifetime_seconds")
        );
        assert_eq!(
            nearest("lifetime_seconds", known),
            Some("token.lifetime_seconds")
        );
        assert_eq!(nearest("zebra", known), None);
    }
}
