//! `kagiya doctor`: what is wrong with this deployment, and what to do about it.

use std::sync::Arc;

use serde_json::json;

use super::{Failure, GlobalOptions, node, print};
use crate::app::doctor::{Finding, Patient, State, examine};
use crate::domain::clock::SystemClock;

/// Looks the deployment over: what is wrong, and what to do about it
///
/// It changes nothing and works beside a running server. Give it the same configuration. The exit code is 1 when any check
/// failed; warnings and what could not be looked at leave it at 0.
#[derive(Clone, Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya doctor
  kagiya doctor --config /etc/kagiya/kagiya.toml --json"#
)]
pub struct Options {
    /// How much disk must be free, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub min_free: u64,
}

/// Looks.
///
/// # Errors
/// When a check failed.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    let patient = Patient {
        config: &config,
        clock: Arc::new(SystemClock),
        providers: Vec::new(),
        min_free: options.min_free.saturating_mul(1 << 20),
    };
    let findings = node::block_on(async { Ok(examine(&patient).await) })?;
    let failed: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.state == State::Failed)
        .map(|finding| finding.check)
        .collect();
    if globals.json {
        print::json(&json!({ "ok": failed.is_empty(), "checks": findings }))?;
    } else {
        for finding in &findings {
            show(finding)?;
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused {
        code: "unhealthy".to_owned(),
        detail: format!("not as it should be: {}", failed.join(", ")),
    })
}

fn show(finding: &Finding) -> Result<(), Failure> {
    let word = match finding.state {
        State::Ok => "ok",
        State::Skipped => "skipped",
        State::Warning => "WARNING",
        State::Failed => "FAILED",
    };
    print::line(&format!("{word:8} {:18} {}", finding.check, finding.detail))?;
    match &finding.remedy {
        Some(remedy) => print::line(&format!("{:8} {:18} → {remedy}", "", "")),
        None => Ok(()),
    }
}
