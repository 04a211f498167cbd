//! What a use case refuses, in words beside the field that is meant; what belongs to no field becomes a page of its own.

use super::language::{Text, Words};
use crate::broker::{Conflict, Error};
use crate::http::problem::Problem;

/// What is wrong with a form: by the name of the field, `""` for the form as a whole.
#[derive(Debug, Default)]
pub struct Wrong(Vec<(&'static str, Text)>);

impl Wrong {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something wrong with a field.
    pub fn add(&mut self, field: &'static str, text: Text) {
        self.0.push((field, text));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    pub fn of(&self, field: &str) -> Option<Text> {
        let found = self.0.iter().find(|(name, _)| *name == field);
        found.map(|(_, text)| text.clone())
    }

    /// What is wrong with one field alone.
    pub fn one(field: &'static str, text: Text) -> Self {
        Self(vec![(field, text)])
    }
}

/// What a refusal says of a form that has these fields; `Err` where it says nothing of a form.
///
/// # Errors
/// The refusal as a problem, for a page of its own.
pub fn of_form(words: Words, error: Error, fields: &[&'static str]) -> Result<Wrong, Problem> {
    let here = |name: &str| fields.iter().copied().find(|field| *field == name);
    match error {
        Error::Invalid { field, reason } if field == "jwks" && here("jwks").is_some() => {
            let text = if reason.contains("private key") {
                words.t("wrong-jwks-private")
            } else {
                words.t("wrong-jwks")
            };
            Ok(Wrong::one("jwks", text))
        }
        Error::Invalid { field, reason } => {
            let root = field.split(['[', '.']).next().unwrap_or_default();
            let name = match root {
                "expires_at" => "expires",
                "allowed_cidrs" => "addresses",
                other => other,
            };
            let Some(name) = here(name) else {
                return Err(Error::Invalid { field, reason }.into());
            };
            Ok(Wrong::one(name, reason_words(words, &reason)))
        }
        Error::BeyondGrantor(what) | Error::WouldWiden(what) => Ok(Wrong::one(
            here("permissions").or_else(|| here("roles")).unwrap_or(""),
            words.one("wrong-beyond", "what", what),
        )),
        Error::NoSuchPermission { .. } => Ok(Wrong::one(
            here("permissions").unwrap_or(""),
            words.t("wrong-permission-gone"),
        )),
        Error::Conflict(conflict) => match conflict_words(words, &conflict) {
            Some((field, text)) => Ok(Wrong::one(here(field).unwrap_or(""), text)),
            None => Err(Error::Conflict(conflict).into()),
        },
        Error::Stale => Ok(Wrong::one("", words.t("wrong-stale"))),
        Error::Provider(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an identity provider did not do what a page asked for"
            );
            Ok(Wrong::one("", words.t("wrong-provider")))
        }
        other => Err(other.into()),
    }
}

/// A broker's reason in the reader's language.
fn reason_words(words: Words, reason: &str) -> Text {
    match reason {
        "must be in the future" => words.t("wrong-past"),
        "must not be empty" => words.t("wrong-empty"),
        "must be at most 120 characters long" | "must be at most 500 characters long" => {
            words.t("wrong-long")
        }
        "must be harder to guess" => words.t("wrong-password-plain"),
        "must be at least 12 characters long" => words.t("wrong-password-short"),
        "is not the present password" => words.t("wrong-password-present"),
        "somebody has that name already" => words.t("wrong-login-name-taken"),
        "must be 1 to 120 characters without spaces" => words.t("wrong-login-name"),
        "there is no such member of the organization" | "there is no such person" => {
            words.t("wrong-no-such-person")
        }
        "there is no such application" => words.t("wrong-application-id"),
        "must name at least one scope" => words.t("wrong-no-permission"),
        "one of delegation and impersonation must be true" => words.t("wrong-no-mode"),
        _ => words.t("wrong-value"),
    }
}

/// What stands in the way, and beside which field it is told.
fn conflict_words(words: Words, conflict: &Conflict) -> Option<(&'static str, Text)> {
    Some(match conflict {
        Conflict::SlugTaken => ("slug", words.t("wrong-slug-taken")),
        Conflict::IdentifierTaken => ("identifier", words.t("wrong-identifier-taken")),
        Conflict::PermissionExists => ("name", words.t("wrong-permission-exists")),
        Conflict::RoleNameTaken => ("name", words.t("wrong-role-taken")),
        Conflict::TooManyKeys(most) => (
            "",
            words.one("wrong-too-many-keys", "count", i64::from(*most)),
        ),
        Conflict::OrganizationNotEmpty => ("", words.t("wrong-not-empty")),
        Conflict::RoleInUse(by) => ("", words.one("wrong-role-in-use", "by", by.join(", "))),
        Conflict::KeyRevoked => ("", words.t("wrong-key-revoked")),
        Conflict::KeyStatus(_) => ("", words.t("wrong-key-status")),
        Conflict::KeyChanged => ("", words.t("wrong-stale")),
        Conflict::SigningKeyTooYoung(_) | Conflict::NoNextSigningKey(_) => {
            ("", words.t("wrong-signing-key-young"))
        }
        Conflict::SecretInUse(_) => ("", words.t("wrong-secret-in-use")),
        Conflict::SecretState(_) => ("", words.t("wrong-secret-state")),
        Conflict::ResourceReserved => ("", words.t("wrong-reserved")),
        Conflict::TooManySecrets => ("", words.t("wrong-too-many-secrets")),
        Conflict::ExchangeRuleExists => ("", words.t("wrong-rule-exists")),
        Conflict::UserInUse(by) => ("", words.one("wrong-user-in-use", "by", by.join(", "))),
        _ => return None,
    })
}
