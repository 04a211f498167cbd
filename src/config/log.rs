//! `[log]`: what is logged, and how it looks.

use serde::{Deserialize, Deserializer, de};
use tracing_subscriber::filter::Targets;

use super::layers::Section;

/// The settings of logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `format`, `KAGIYA_LOG_FORMAT`: `human`, `json`, or `auto`: human on a terminal, JSON otherwise. Default `auto`.
    pub format: LogFormat,
    /// `level`, `KAGIYA_LOG_LEVEL`: `error`, `warn`, `info`, `debug` or `trace`, also for parts of the program:
    /// `info,kagiya::store=debug`. Lines for requests are not filtered. Default `info`.
    #[serde(deserialize_with = "level")]
    pub level: Targets,
    /// `requests`, `KAGIYA_LOG_REQUESTS`: write one line for each request. Default `true`.
    pub requests: bool,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        let level = Targets::new().with_default(tracing::Level::INFO);
        Self {
            format: LogFormat::Auto,
            level,
            requests: true,
        }
    }
}

impl Section for Log {
    const TABLE: Option<&'static str> = Some("log");
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Targets, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || {
        de::Error::custom(
            "must be error, warn, info, debug or trace, or such as info,kagiya::store=debug",
        )
    };
    // A lone word that is no level would be taken as the name of a part of the program, and silence everything else.
    let parts_are_named = text
        .split(',')
        .all(|part| part.contains('=') || part.parse::<tracing::Level>().is_ok());
    if !parts_are_named {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}
