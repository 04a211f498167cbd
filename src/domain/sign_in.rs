//! How people sign in: by which means, with which names and passwords, and with links that let somebody in once.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{LinkId, OrganizationId, RoleId, UserId};
use super::lifecycle::UnknownState;
use super::secret::SecretText;
use super::user::MemberRole;

/// By which means somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignInMethod {
    /// A link that somebody gave him.
    Link,
    /// His password here.
    Password,
    /// A passkey (WebAuthn).
    Passkey,
    /// The configured provider.
    Provider,
}

impl SignInMethod {
    /// The word on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Provider => "provider",
        }
    }
}

impl FromStr for SignInMethod {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [Self::Link, Self::Password, Self::Passkey, Self::Provider]
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// The name by which somebody signs in with a password: 1 to 120 characters without spaces, upper and lower case the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginName(String);

/// The text is no name to sign in by.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 1 to 120 characters without spaces")]
pub struct ParseLoginNameError;

impl LoginName {
    /// Its text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoginName {
    type Err = ParseLoginNameError;

    fn from_str(text: &str) -> Result<Self, ParseLoginNameError> {
        let folded = text.trim().to_lowercase();
        let wrong = |letter: char| letter.is_control() || letter.is_whitespace();
        if folded.is_empty() || folded.chars().count() > 120 || folded.chars().any(wrong) {
            return Err(ParseLoginNameError);
        }
        Ok(Self(folded))
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fewest characters of a password (OWASP ASVS 5.0 §6.2.1 asks for 8 and advises 15).
pub const SHORTEST_PASSWORD: usize = 12;
/// The most, so that hashing one takes a bounded time.
const LONGEST_PASSWORD: usize = 256;
/// Fewer different characters are no password, however often they come.
const FEWEST_DIFFERENT: usize = 5;

/// A password that somebody chooses. Any characters do: rules on kinds of characters make passwords worse (NIST SP 800-63B §3.1.1).
#[derive(Debug)]
pub struct NewPassword(SecretText);

/// The password cannot be taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NewPasswordError {
    /// Too short.
    #[error("must be at least {SHORTEST_PASSWORD} characters long")]
    TooShort,
    /// Too long.
    #[error("must be at most {LONGEST_PASSWORD} characters long")]
    TooLong,
    /// Guessed at once.
    #[error("must be harder to guess")]
    TooPlain,
}

impl NewPassword {
    /// Takes a password for whoever signs in by `name`.
    ///
    /// # Errors
    /// See [`NewPasswordError`].
    pub fn new(text: &str, name: &LoginName) -> Result<Self, NewPasswordError> {
        let length = text.chars().count();
        if length < SHORTEST_PASSWORD {
            return Err(NewPasswordError::TooShort);
        }
        if length > LONGEST_PASSWORD {
            return Err(NewPasswordError::TooLong);
        }
        let folded = text.to_lowercase();
        let mut letters: Vec<char> = folded.chars().collect();
        let rising = letters
            .windows(2)
            .all(|pair| u32::from(pair[1]) == u32::from(pair[0]) + 1);
        letters.sort_unstable();
        letters.dedup();
        let names_himself = name.as_str().chars().count() >= 4 && folded.contains(name.as_str());
        if letters.len() < FEWEST_DIFFERENT || rising || names_himself {
            return Err(NewPasswordError::TooPlain);
        }
        Ok(Self(SecretText::new(text.to_owned())))
    }

    /// The text, to be hashed.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What a link that lets somebody in once is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Whoever uses it becomes an operator.
    Operator,
    /// Whoever uses it becomes a member.
    Invitation {
        /// Where.
        organization: OrganizationId,
        /// As what.
        role: MemberRole,
        /// With these user roles.
        roles: Vec<RoleId>,
    },
    /// He whom it is for chooses a new password.
    Password {
        /// Who.
        user: UserId,
    },
}

impl LinkPurpose {
    /// The word on record.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Invitation { .. } => "invitation",
            Self::Password { .. } => "password",
        }
    }

    /// How long a link for it can be used.
    pub fn lifetime(&self) -> SignedDuration {
        match self {
            Self::Operator => SignedDuration::from_mins(15),
            Self::Invitation { .. } => SignedDuration::from_hours(7 * 24),
            Self::Password { .. } => SignedDuration::from_hours(24),
        }
    }
}

/// A link that lets somebody in once, without the secret in it.
#[derive(Clone, Debug)]
pub struct SignInLink {
    /// Its id.
    pub id: LinkId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// For whom it was meant, in the words of whoever made it.
    pub note: Option<String>,
    /// Whether it can be used on the server's own machine alone.
    pub loopback: bool,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

impl SignInLink {
    /// Whether it can be used at this moment.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && now < self.expires_at
    }
}

/// A rule that makes people members at each sign-in by the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipRule {
    /// The claim that is looked at, of the ID token or the user information: `groups`, or a path such as `realm_access.roles`.
    pub claim: String,
    /// What it must be, or hold.
    pub value: String,
    /// The organization: its id or its slug.
    pub organization: String,
    /// As what.
    #[serde(default = "member")]
    pub role: MemberRole,
    /// The user roles that he then holds there: ids or names.
    #[serde(default)]
    pub roles: Vec<String>,
}

fn member() -> MemberRole {
    MemberRole::Member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_to_sign_in_by_are_the_same_in_upper_and_lower_case() {
        let name: LoginName = " Ann@Example.com ".parse().unwrap();
        assert_eq!(name.as_str(), "ann@example.com");
        for bad in ["", " ", "a b", "a\tb", &"x".repeat(121)] {
            assert!(bad.parse::<LoginName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_long_and_not_plain() {
        let name: LoginName = "ann.smith".parse().unwrap();
        let judged = |text: &str| NewPassword::new(text, &name).map(drop);
        assert_eq!(judged("correct horse battery"), Ok(()));
        assert_eq!(judged("鍵屋の朝は早く静かでよい"), Ok(()));
        assert_eq!(judged("short"), Err(NewPasswordError::TooShort));
        assert_eq!(judged(&"ab".repeat(200)), Err(NewPasswordError::TooLong));
        for plain in [
            "aaaaaaaaaaaaaa",
            "abababababab",
            "abcdefghijklmn",
            "my ann.smith pass",
        ] {
            assert_eq!(judged(plain), Err(NewPasswordError::TooPlain), "{plain}");
        }
    }
}
