//! The log of what happens seldom, through `tracing`, to standard error: standard output belongs to what a command answers.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Log, LogFormat};

/// How lines look, once it is known where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

impl LineFormat {
    /// As configured; `auto` is human where the lines go to a terminal.
    pub fn choose(format: LogFormat, output: &impl IsTerminal) -> Self {
        match format {
            LogFormat::Human => Self::Human,
            LogFormat::Json => Self::Json,
            LogFormat::Auto if output.is_terminal() => Self::Human,
            LogFormat::Auto => Self::Json,
        }
    }
}

/// Sends the events of this process to standard error from now on. Once in a process: a second call changes nothing.
pub fn install(log: &Log) {
    let output = io::stderr();
    let layer = match LineFormat::choose(log.format, &output) {
        LineFormat::Human => fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(output.is_terminal())
            .with_target(false)
            .boxed(),
        LineFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(io::stderr)
            .boxed(),
    };
    // It fails only where a subscriber is installed already, as by a test that captures events.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(without_listener(log.level.clone())))
        .try_init();
}

/// The listener's library tells every step of its start and stop at `info`, where our own lines tell enough.
fn without_listener(level: Targets) -> Targets {
    const LISTENER: &str = "actix_server";
    let tells = |level: &Targets, at| level.would_enable(LISTENER, &at);
    if tells(&level, Level::INFO) && !tells(&level, Level::DEBUG) {
        return level.with_target(LISTENER, Level::WARN);
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_heard_only_by_who_wants_details() {
        let heard = |level: Level, at| {
            without_listener(Targets::new().with_default(level)).would_enable("actix_server", &at)
        };
        assert!(!heard(Level::INFO, Level::INFO));
        assert!(heard(Level::INFO, Level::WARN));
        assert!(heard(Level::DEBUG, Level::DEBUG));
        assert!(!heard(Level::ERROR, Level::WARN));
    }

    #[test]
    fn auto_is_json_where_nobody_looks() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(LineFormat::choose(LogFormat::Auto, &file), LineFormat::Json);
        assert_eq!(
            LineFormat::choose(LogFormat::Human, &file),
            LineFormat::Human
        );
    }
}
