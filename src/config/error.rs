//! Why a configuration is refused: always with the place that has to change, never with a secret in the text.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file as named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{}, line {line}, column {column}: {message}", path.display())]
    Syntax {
        /// The file as named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// Settings, tables or variables that do not exist; all of them, so that one look mends them all.
    #[error("{}", join(.0))]
    Unknown(Vec<UnknownName>),
    /// A setting has a value that it cannot have.
    #[error("{origin}: {setting} {message}")]
    Value {
        /// The name as in the file, such as `token.lifetime_seconds`.
        setting: String,
        /// Who gave it.
        origin: Origin,
        /// What it must be.
        message: String,
    },
    /// Settings that are right one by one and wrong together.
    #[error("{0}")]
    Together(String),
}

/// A name that is not known.
#[derive(Clone, Debug)]
pub struct UnknownName {
    /// The name as given: `token.lifetime` or `KAGIYA_TOKEN_LIFETIME`.
    pub name: String,
    /// Where it was given.
    pub origin: Origin,
    /// A known name that looks like it.
    pub nearest: Option<String>,
}

/// Who gave a setting its value.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Nobody: the default.
    Default,
    /// A line of the file, from 1.
    File {
        /// The file as named.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("configuration"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Variable(name) => write!(f, "the variable {name} is not known")?,
            origin => write!(f, "{origin}: the setting {} is not known", self.name)?,
        }
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

fn join(names: &[UnknownName]) -> String {
    names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
