//! What a token says (RFC 9068 §2.2, RFC 8693 §4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Refusal;

/// The claims of a verified access token.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Claims {
    /// Whom it stands for: a key's id, an application's client id, or `ext_…`. It survives rotation: key your data by it, or by `org_id`.
    pub sub: String,
    /// Who asked for it.
    pub client_id: String,
    /// What it permits, separated by spaces.
    pub scope: String,
    /// Its own id.
    pub jti: String,
    /// Until when it is good, in seconds since 1970.
    pub exp: u64,
    /// Since when, in seconds since 1970.
    pub iat: u64,
    /// The organization that its subject belongs to.
    pub org_id: Option<String>,
    /// The person behind its subject.
    pub owner: Option<Owner>,
    /// The generation of the key's credential.
    #[serde(rename = "gen")]
    pub generation: Option<String>,
    /// The `jti` of the first token of the chain that it was traded from.
    #[serde(rename = "fam")]
    pub family: Option<String>,
    /// Who acts (RFC 8693 §4.1).
    pub act: Option<Value>,
    /// Who may act (RFC 8693 §4.4).
    pub may_act: Option<Value>,
    /// The members of the key's metadata that the resource names.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// A person, as an identity provider names him.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Owner {
    /// The provider.
    pub iss: String,
    /// His name there.
    pub sub: String,
}

impl Claims {
    /// Whether it permits what needs `scope`; compared as a whole word, so that `read:payment` is not in `read:payments`.
    pub fn permits(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|held| held == scope)
    }

    /// Itself, if it permits what needs `scope`.
    ///
    /// # Errors
    /// [`Refusal::InsufficientScope`].
    pub fn require(&self, scope: &str) -> Result<&Self, Refusal> {
        if self.permits(scope) {
            Ok(self)
        } else {
            Err(Refusal::InsufficientScope(scope.to_owned()))
        }
    }

    /// Everything in it that can be on the list of what was revoked; `kid` is there beside these.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let optional = [self.generation.as_deref(), self.family.as_deref()];
        [self.sub.as_str(), &self.client_id, &self.jti]
            .into_iter()
            .chain(optional.into_iter().flatten())
    }
}
