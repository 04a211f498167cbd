//! Ids: a prefix that names the kind, then 26 letters of lower-case base32 (130 random bits).
//!
//! `key_7q…` can only ever be a key: the kinds are different types, and their texts cannot be mistaken for each other. Ids are
//! public; no right follows from knowing one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::base32;
use super::random::Random;

/// The length of an id: a prefix of four characters and 26 letters.
pub const LENGTH: usize = 30;
/// The letters behind the prefix.
const BODY_LENGTH: usize = 26;

/// The letters of an id as bits, without its prefix: for where memory is counted. Of which kind it is only its holder knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackedId([u8; (BODY_LENGTH * 5).div_ceil(8)]);

impl PackedId {
    /// Eight of its bits: as evenly drawn as the id.
    pub fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

/// The text is not an id of the kind that is meant here.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be {prefix} followed by 26 letters a–z or digits 2–7")]
pub struct ParseIdError {
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// The prefix that every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Draws a new id.
            pub fn generate(random: &dyn Random) -> Self {
                let mut text = [0u8; LENGTH];
                let (prefix, body) = text.split_at_mut(Self::PREFIX.len());
                prefix.copy_from_slice(Self::PREFIX.as_bytes());
                random.text(base32::ALPHABET, body);
                Self(text)
            }

            /// Its letters in little room.
            pub fn packed(&self) -> PackedId {
                let mut packed = [0u8; (BODY_LENGTH * 5).div_ceil(8)];
                base32::pack(&self.0[Self::PREFIX.len()..], &mut packed);
                PackedId(packed)
            }

            /// The id with these letters, which came from [`Self::packed`].
            pub fn from_packed(packed: &PackedId) -> Self {
                let mut text = [0u8; LENGTH];
                let (prefix, rest) = text.split_at_mut(Self::PREFIX.len());
                prefix.copy_from_slice(Self::PREFIX.as_bytes());
                base32::encode(&packed.0, rest);
                Self(text)
            }

            /// The whole text, prefix included.
            pub fn as_str(&self) -> &str {
                // Both ways to make one admit ASCII alone.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let refused = ParseIdError { prefix: Self::PREFIX };
                let body = text.strip_prefix(Self::PREFIX).ok_or(refused)?;
                if !base32::is_text(body.as_bytes()) {
                    return Err(refused);
                }
                text.as_bytes().try_into().map(Self).map_err(|_| refused)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/** A key, the same over all its rotations. */ KeyId, "key_");
id!(/** One generation of a key's credentials: the claim `gen`. */ CredentialId, "crd_");
id!(/** An organization, the tenant that keys belong to. */ OrganizationId, "org_");
id!(/** An API resource, an audience of tokens. */ ResourceId, "res_");
id!(/** A permission: one scope at one resource. */ PermissionId, "per_");
id!(/** A person who signs in, or owns keys. */ UserId, "usr_");
id!(/** A role: permissions under one name. */ RoleId, "rol_");
id!(/** A machine-to-machine application: its id is its `client_id`. */ ApplicationId, "app_");
id!(/** One of an application's secrets. */ ClientSecretId, "sec_");
id!(/** An exchange rule. */ ExchangeRuleId, "rul_");
id!(/** A trusted issuer. */ IssuerId, "iss_");
id!(/** One of a trusted issuer's rules. */ IssuerRuleId, "isr_");
id!(/** A row of the audit trail. */ AuditEventId, "aud_");
id!(/** A step to be taken at an identity provider. */ OperationId, "opr_");
id!(/** A link that lets somebody in once. */ LinkId, "lnk_");
id!(/** A deployment: every provider user that it made carries it. */ DeploymentId, "dep_");

#[cfg(test)]
mod tests;
