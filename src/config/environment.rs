//! The variables of the process, as a value: the `KAGIYA_…` ones, which are settings, and who is logged in. Only the command line's
//! `main` takes them from the process.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "KAGIYA_";

/// Variables for tests only; they are not settings and never refused.
const TEST_PREFIX: &str = "KAGIYA_TEST_";

/// Variables for one command, which are no settings either.
const ADMINISTRATOR_PREFIX: &str = "KAGIYA_IDP_ADMIN_";

/// How long a login name may be that goes into tokens and audit events.
const LONGEST_LOGIN_NAME: usize = 64;

/// The variables that begin with `KAGIYA_`, without the empty ones and those for tests; and the login name.
///
/// Made by collecting `std::env::vars_os()`, or pairs of a test's choice.
#[derive(Clone, Default)]
pub struct Environment {
    settings: BTreeMap<String, OsString>,
    login_name: Option<String>,
    administrator: BTreeMap<String, OsString>,
}

impl Environment {
    /// The text of a variable; `Some(Err)` if it is not UTF-8.
    pub(super) fn text(&self, variable: &str) -> Option<Result<&str, NotUtf8>> {
        Some(self.settings.get(variable)?.to_str().ok_or(NotUtf8))
    }

    /// Whether no setting is among them.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// A part of an administrator's credentials at an identity provider: `username` is that of `KAGIYA_IDP_ADMIN_USERNAME`.
    pub fn administrator(&self, name: &str) -> Option<String> {
        self.administrator.get(name)?.to_str().map(str::to_owned)
    }

    /// Who is logged in, by `USER` or else `LOGNAME`, where that is a plain name. Not proven by anything.
    pub fn login_name(&self) -> Option<&str> {
        self.login_name.as_deref()
    }

    /// The names that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }
}

/// Without values, of which some are secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.settings.keys()).finish()
    }
}

/// The value of a variable is not UTF-8 text.
pub(super) struct NotUtf8;

/// The variable for a setting: `token.lifetime_seconds` is `KAGIYA_TOKEN_LIFETIME_SECONDS`.
pub(super) fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_ascii_uppercase())
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let (Ok(name), value) = (name.into().into_string(), value.into()) else {
                continue;
            };
            match name.as_str() {
                "USER" => environment.login_name = plain_name(value).or(environment.login_name),
                "LOGNAME" => environment.login_name = environment.login_name.or(plain_name(value)),
                name if name.starts_with(TEST_PREFIX) || value.is_empty() => {}
                name if name.starts_with(ADMINISTRATOR_PREFIX) => {
                    let part = name[ADMINISTRATOR_PREFIX.len()..].to_ascii_lowercase();
                    environment.administrator.insert(part, value);
                }
                name if name.starts_with(PREFIX) => {
                    environment.settings.insert(name.to_owned(), value);
                }
                _ => {}
            }
        }
        environment
    }
}

/// A name of letters, digits, `.`, `_` and `-`: what a log and a token can show as it is.
fn plain_name(value: OsString) -> Option<String> {
    let name = value.into_string().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=LONGEST_LOGIN_NAME).contains(&name.len()) && name.bytes().all(plain);
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_name_is_plain_or_none() {
        let name = |variables: &[(&str, &str)]| {
            let environment: Environment = variables.iter().copied().collect();
            environment.login_name().map(str::to_owned)
        };
        assert_eq!(
            name(&[("LOGNAME", "b"), ("USER", "a")]).as_deref(),
            Some("a")
        );
        assert_eq!(
            name(&[("USER", "a"), ("LOGNAME", "b")]).as_deref(),
            Some("a")
        );
        assert_eq!(
            name(&[("USER", "a b"), ("LOGNAME", "b")]).as_deref(),
            Some("b")
        );
        assert_eq!(name(&[("USER", "")]), None);
    }

    #[test]
    fn only_settings_count_as_variables_of_ours() {
        let names = [("USER", "a"), ("KAGIYA_TEST_X", "1"), ("KAGIYA_LISTEN", "")];
        assert!(names.into_iter().collect::<Environment>().is_empty());
        assert!(!Environment::from_iter([("KAGIYA_LISTEN", "x")]).is_empty());
    }
}
