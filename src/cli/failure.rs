//! How a command ends that did not do what it was asked: exit code 1, or 2 where the command line was wrong.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::{self, Origin};

/// A command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The server or a rule said no: exit code 1.
    Refused {
        /// The stable word of the problem, such as `key_revoked`.
        code: String,
        /// What is wrong, for people.
        detail: String,
    },
    /// It could not be done: exit code 1.
    Failed(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Says on standard error why, as text or as `{"error":{"code","detail"}}`, and gives the exit code.
    ///
    /// Standard output stays empty, so that a script never takes a message for an answer.
    pub(super) fn report(&self, as_json: bool) -> ExitCode {
        let text = if as_json {
            serde_json::json!({ "error": { "code": self.code(), "detail": self.detail() } })
                .to_string()
        } else {
            format!("kagiya: {}", self.detail())
        };
        // Where standard error is closed, the exit code still tells.
        let _ = writeln!(io::stderr(), "{text}");
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }

    /// The same, saying what it is about.
    pub(super) fn about(self, what: &str) -> Self {
        match self {
            Self::Refused { code, detail } => Self::Refused {
                code,
                detail: format!("{what}: {detail}"),
            },
            other => other,
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::Usage(_) => "usage",
            Self::Refused { code, .. } => code,
            Self::Failed(_) => "failed",
        }
    }

    /// The message and its causes, each once: some errors repeat their cause in their own text.
    fn detail(&self) -> String {
        let error = match self {
            Self::Usage(detail) | Self::Refused { detail, .. } => return detail.clone(),
            Self::Failed(error) => error,
        };
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !detail.ends_with(&text) {
                detail.push_str(": ");
                detail.push_str(&text);
            }
            cause = error.source();
        }
        detail
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        match error.downcast_ref::<config::Error>() {
            Some(config::Error::Value {
                origin: Origin::Flag(_),
                ..
            }) => Self::Usage(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_causes_once() {
        let source = io::Error::other("the disk is full");
        let error = config::Error::Unreadable {
            path: "kagiya.toml".into(),
            source,
        };
        let failure = Failure::from(error);
        assert_eq!(
            failure.detail(),
            "cannot read the configuration file kagiya.toml: the disk is full"
        );
    }

    #[test]
    fn a_wrong_flag_is_wrong_usage_and_a_wrong_variable_is_not() {
        let wrong = |origin| {
            Failure::from(config::Error::Value {
                setting: "listen".into(),
                origin,
                message: "must be".into(),
            })
        };
        assert!(matches!(
            wrong(Origin::Flag("--listen".into())),
            Failure::Usage(_)
        ));
        assert!(matches!(
            wrong(Origin::Variable("KAGIYA_LISTEN".into())),
            Failure::Failed(_)
        ));
    }
}
