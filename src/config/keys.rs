//! `[keys]`: how keys look.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::layers::Section;
use crate::domain::prefix::{KeyPrefix, KeyPrefixes};

/// The settings of the key format.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// `prefix`, `KAGIYA_KEYS_PREFIX`: what new keys begin with, `[a-z][a-z0-9]{1,15}`. Default `kgy`.
    #[serde(deserialize_with = "prefix")]
    pub prefix: KeyPrefix,
    /// `accepted_prefixes`, `KAGIYA_KEYS_ACCEPTED_PREFIXES`: earlier prefixes whose keys still work. Default none.
    pub accepted_prefixes: Vec<KeyPrefix>,
}

impl Keys {
    /// Both together.
    pub fn prefixes(&self) -> KeyPrefixes {
        KeyPrefixes::new(self.prefix.clone(), self.accepted_prefixes.iter().cloned())
    }
}

impl Default for Keys {
    fn default() -> Self {
        let prefix = KeyPrefix::from_str("kgy").expect("`kgy` is a letter and two more");
        Self {
            prefix,
            accepted_prefixes: Vec::new(),
        }
    }
}

impl Section for Keys {
    const TABLE: Option<&'static str> = Some("keys");
}

fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyPrefix, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}
