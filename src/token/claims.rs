//! What an access token of ours says, read from claims whose signature was checked.
//!
//! A claim of a wrong type is a refusal, never an absence (RFC 7519 §4.1, RFC 8725 §3.2).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::scope::ScopeSet;

/// The claims of a verified access token; [`AccessTokenClaims`](crate::token::mint::AccessTokenClaims) says what each
/// means.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaims {
    /// Our issuer identifier.
    pub iss: String,
    /// Whom the token stands for.
    pub sub: String,
    /// The resources that it is meant for.
    pub aud: Vec<String>,
    /// Until when.
    pub exp: Timestamp,
    /// Since when.
    pub iat: Timestamp,
    /// The token's own id.
    pub jti: String,
    /// Who asked for it.
    pub client_id: String,
    /// What it permits.
    pub scope: ScopeSet,
    /// The organization that the subject belongs to.
    pub org_id: Option<String>,
    /// The person behind the subject.
    pub owner: Option<VerifiedOwner>,
    /// The generation of the key's credential (`gen`).
    pub generation: Option<String>,
    /// The `jti` of the first token of the chain of exchanges, in a token that is not the first (`fam`).
    pub family: Option<String>,
    /// Who acts, an object.
    pub act: Option<Value>,
    /// Who may act, an object.
    pub may_act: Option<Value>,
    /// The members of the key's metadata that the resource names.
    pub metadata: BTreeMap<String, String>,
}

/// A person, as an identity provider names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedOwner {
    /// The provider.
    pub iss: String,
    /// His name there.
    pub sub: String,
}

impl VerifiedClaims {
    /// The `jti` of the first token of the chain of exchanges: its own, if it is the first.
    pub fn family(&self) -> &str {
        self.family.as_deref().unwrap_or(&self.jti)
    }

    /// Reads the claims; the error names the claim that is missing or wrong.
    pub(super) fn read(claims: Map<String, Value>) -> Result<Self, &'static str> {
        let mut claims = Claims(claims);
        // No token of ours has it, so there is nothing to postpone.
        if claims.0.contains_key("nbf") {
            return Err("nbf");
        }
        Ok(Self {
            iss: claims.text("iss")?,
            sub: claims.text("sub")?,
            aud: claims.audience()?,
            exp: claims.time("exp")?,
            iat: claims.time("iat")?,
            jti: claims.text("jti")?,
            client_id: claims.text("client_id")?,
            scope: claims.scope()?,
            org_id: claims.optional_text("org_id")?,
            owner: claims.owner()?,
            generation: claims.optional_text("gen")?,
            family: claims.optional_text("fam")?,
            act: claims.object("act")?.map(Value::Object),
            may_act: claims.object("may_act")?.map(Value::Object),
            metadata: claims.metadata()?,
        })
    }
}

/// Claims that were not read yet.
struct Claims(Map<String, Value>);

impl Claims {
    fn text(&mut self, name: &'static str) -> Result<String, &'static str> {
        self.optional_text(name)?.ok_or(name)
    }

    fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, &'static str> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(name),
        }
    }

    /// A NumericDate (RFC 7519 §2), fractions cut off; between 1970 and the year 9999.
    fn time(&mut self, name: &'static str) -> Result<Timestamp, &'static str> {
        let Some(Value::Number(number)) = self.0.remove(name) else {
            return Err(name);
        };
        let seconds = match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole,
            // A cast from a float stops at the bounds of i64, which the next line refuses.
            (None, Some(fraction)) => fraction as i64,
            (None, None) => return Err(name),
        };
        if seconds < 0 {
            return Err(name);
        }
        Timestamp::from_second(seconds).map_err(|_| name)
    }

    /// A string or an array of strings (RFC 7519 §4.1.3).
    fn audience(&mut self) -> Result<Vec<String>, &'static str> {
        match self.0.remove("aud") {
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(several)) => several
                .into_iter()
                .map(|one| match one {
                    Value::String(one) => Ok(one),
                    _ => Err("aud"),
                })
                .collect(),
            _ => Err("aud"),
        }
    }

    /// Empty is a scope too: nothing is permitted.
    fn scope(&mut self) -> Result<ScopeSet, &'static str> {
        match self.0.remove("scope") {
            Some(Value::String(scope)) => scope.parse().map_err(|_| "scope"),
            _ => Err("scope"),
        }
    }

    fn owner(&mut self) -> Result<Option<VerifiedOwner>, &'static str> {
        let Some(members) = self.object("owner")? else {
            return Ok(None);
        };
        let mut members = Self(members);
        match (members.text("iss"), members.text("sub")) {
            (Ok(iss), Ok(sub)) => Ok(Some(VerifiedOwner { iss, sub })),
            _ => Err("owner"),
        }
    }

    fn object(&mut self, name: &'static str) -> Result<Option<Map<String, Value>>, &'static str> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(name),
        }
    }

    fn metadata(&mut self) -> Result<BTreeMap<String, String>, &'static str> {
        let members = self.object("metadata")?.unwrap_or_default();
        members
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(value) => Ok((name, value)),
                _ => Err("metadata"),
            })
            .collect()
    }
}
