//! An administrator's credentials at a provider: from the environment, else from standard input; never kept.

use std::io::{self, Read};

use super::super::{Failure, GlobalOptions};
use crate::domain::secret::SecretText;
use crate::idp::setup::AdminCredentials;

/// What can be given, and by which names.
const CREDENTIALS: [&str; 5] = [
    "username",
    "password",
    "client_id",
    "client_secret",
    "token",
];

/// What was given.
pub(super) fn credentials(globals: &GlobalOptions) -> Result<AdminCredentials, Failure> {
    let mut given: Vec<(&str, String)> = Vec::new();
    for name in CREDENTIALS {
        if let Some(value) = globals.environment.administrator(name) {
            given.push((name, value));
        }
    }
    if given.is_empty() {
        let mut text = zeroize::Zeroizing::new(String::new());
        io::stdin()
            .take(64 * 1024)
            .read_to_string(&mut text)
            .map_err(|error| missing(&format!("standard input cannot be read: {error}")))?;
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            if let Some(name) = CREDENTIALS.into_iter().find(|known| *known == name.trim()) {
                given.push((name, value.to_owned()));
            }
        }
    }
    let one = |wanted: &str| {
        let found = given.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.clone())
    };
    if let Some(token) = one("token") {
        return Ok(AdminCredentials::Token(SecretText::new(token)));
    }
    if let (Some(username), Some(password)) = (one("username"), one("password")) {
        return Ok(AdminCredentials::Password {
            username,
            password: SecretText::new(password),
        });
    }
    if let (Some(id), Some(secret)) = (one("client_id"), one("client_secret")) {
        return Ok(AdminCredentials::Client {
            id,
            secret: SecretText::new(secret),
        });
    }
    Err(missing(
        "give an administrator's credentials by KAGIYA_IDP_ADMIN_USERNAME and KAGIYA_IDP_ADMIN_PASSWORD, \
         KAGIYA_IDP_ADMIN_CLIENT_ID and KAGIYA_IDP_ADMIN_CLIENT_SECRET, KAGIYA_IDP_ADMIN_TOKEN, or by standard input",
    ))
}

fn missing(detail: &str) -> Failure {
    Failure::Refused {
        code: "no_credentials".to_owned(),
        detail: detail.to_owned(),
    }
}
