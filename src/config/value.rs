//! One value of a layer: from the file with its TOML type, or text from a variable or flag that takes the type its field wants.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::Error;

/// A value before its field is known.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// From the file.
    Toml(toml::Value),
    /// From the environment or the command line.
    Text(String),
}

/// A section's values by name.
pub(super) type Values = Vec<(String, Value)>;

/// A section as something to deserialise from.
pub(super) fn section(
    values: Values,
) -> MapDeserializer<'static, std::vec::IntoIter<(String, Value)>, Error> {
    MapDeserializer::new(values.into_iter())
}

impl IntoDeserializer<'_, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! whole_number {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Self::Toml(value) => value.$method(visitor),
                Self::Text(text) => match text.trim().parse() {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(Error::custom("must be a whole number")),
                },
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Toml(value) => value.deserialize_any(visitor),
            Self::Text(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Toml(value) => value.deserialize_bool(visitor),
            Self::Text(text) => match text.trim() {
                "true" | "1" => visitor.visit_bool(true),
                "false" | "0" => visitor.visit_bool(false),
                _ => Err(Error::custom("must be true or false")),
            },
        }
    }

    whole_number! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Toml(value) => value.deserialize_seq(visitor),
            Self::Text(text) => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                visitor.visit_seq(SeqDeserializer::new(
                    items.map(|item| Self::Text(item.to_owned())),
                ))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Toml(value) => value.deserialize_enum(name, variants, visitor),
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
