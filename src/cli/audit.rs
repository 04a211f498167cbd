//! `kagiya audit`: is the audit trail what was written?

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, GlobalOptions, node, operator, print};
use crate::broker::audit_verification::{Finding, OpenChain, Removal, TrailReport, verify_trail};
use crate::domain::audit_chain::Anchor;

/// How many chains people are shown, the newest.
const SHOWN: usize = 5;

/// Verify the audit trail
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Verifies that every row of the audit trail is as it was written, in its place, and that none is gone
    ///
    /// It reads the database itself, beside a running server too, and needs the root secret. The exit code is 1 when anything is not as
    /// it was written; the first row of each chain that is not is named. It prints anchors: kept elsewhere, and given back by --anchor,
    /// they show even that the whole database was put back to an earlier state. The server logs them too.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya audit verify
  kagiya audit verify --json > /var/backups/audit-$(date +%F).json
  kagiya audit verify --anchor "$(jq -r .anchors[0] /var/backups/audit-2026-11-22.json)""#
    )]
    Verify(VerifyOptions),
}

/// What must be found.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyOptions {
    /// How far a chain was at some moment, from the log or an earlier verification; may be repeated
    #[arg(long = "anchor", value_name = "CHAIN:ROWS:LINK")]
    pub anchors: Vec<Anchor>,
}

/// Does what is asked.
///
/// # Errors
/// A trail that is not as it was written; a database or root secret that is not there or does not fit.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    let Command::Verify(options) = command;
    let config = globals.config(Vec::new())?;
    let report = node::block_on(async {
        let (store, root) = operator::open(&config)?;
        if !store.pending_migrations()?.is_empty() {
            return Err(Failure::Refused {
                code: "migrations_pending".to_owned(),
                detail: "the database is older than this program: start kagiya serve, or run kagiya migrate, first"
                    .to_owned(),
            });
        }
        let mut progress = print::Progress::new("rows");
        let mut at = |rows: u64| progress.at(usize::try_from(rows).unwrap_or(usize::MAX));
        let report = verify_trail(&store, &root, &options.anchors, &mut at).await?;
        drop(progress);
        store.close().await;
        Ok(report)
    })?;
    if globals.json {
        print::json(&as_json(&report))?;
    } else {
        show(&report)?;
    }
    match report.findings.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Refused {
            code: "audit_trail_broken".to_owned(),
            detail: format!("the audit trail is not as it was written: {}", first.detail),
        }),
    }
}

fn as_json(report: &TrailReport) -> Value {
    json!({
        "ok": report.findings.is_empty(),
        "rows": report.rows,
        "removed": report.removed,
        "removals": report.removals.iter().map(removal_as_json).collect::<Vec<_>>(),
        "chains": report.chains,
        "ended": report.ended,
        "open": report.open.iter().map(open_as_json).collect::<Vec<_>>(),
        "on_leaked_secrets": report.on_leaked_secrets,
        "anchors": report.anchors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
    })
}

fn open_as_json(chain: &OpenChain) -> Value {
    json!({
        "chain": chain.number, "node": chain.node, "rows": chain.rows, "changed_at": moment(chain.changed_at),
    })
}

fn removal_as_json(removal: &Removal) -> Value {
    json!({
        "chain": removal.chain, "first_row": removal.first, "last_row": removal.last,
        "from": moment(removal.first_at), "until": moment(removal.last_at), "removed_at": moment(removal.removed_at),
    })
}

fn finding_as_json(finding: &Finding) -> Value {
    json!({
        "problem": finding.problem.as_str(), "chain": finding.chain, "row": finding.row,
        "event_id": finding.event, "detail": finding.detail,
    })
}

fn moment(microseconds: i64) -> Value {
    // What somebody else wrote there need not be a moment.
    match jiff::Timestamp::from_microsecond(microseconds) {
        Ok(moment) => moment.to_string().into(),
        Err(_) => Value::Null,
    }
}

fn show(report: &TrailReport) -> Result<(), Failure> {
    for finding in &report.findings {
        print::line(&format!(
            "BROKEN   {:15} {}",
            finding.problem.as_str(),
            print::text(&Value::from(finding.detail.as_str()))
        ))?;
    }
    let state = if report.findings.is_empty() {
        "as it was written"
    } else {
        "NOT as it was written"
    };
    let mut rows = vec![
        ("trail", state.to_owned()),
        ("rows", report.rows.to_string()),
        ("removed", format!("{} by retention", report.removed)),
        (
            "chains",
            format!("{}, {} ended by their servers", report.chains, report.ended),
        ),
    ];
    // After years there may be many of these; programs get them all.
    rows.extend(report.removals.iter().rev().take(SHOWN).map(|removal| {
        let text = format!(
            "chain {}, rows {} to {}, of {} to {}",
            removal.chain,
            removal.first,
            removal.last,
            print::moment(&moment(removal.first_at)),
            print::moment(&moment(removal.last_at)),
        );
        ("removed", text)
    }));
    if report.removals.len() > SHOWN {
        let older = report.removals.len() - SHOWN;
        rows.push(("removed", format!("and rows of {older} older chains")));
    }
    rows.extend(report.open.iter().rev().take(SHOWN).map(|chain| {
        let text = format!(
            "chain {}, {} rows, the last at {}: its server runs, or ended without a stop",
            chain.number,
            chain.rows,
            print::moment(&moment(chain.changed_at)),
        );
        ("open", text)
    }));
    if report.on_leaked_secrets > 0 {
        let text = format!(
            "{} chains are sealed with a secret that others know: they prove only what an anchor or a later chain knows of them",
            report.on_leaked_secrets
        );
        rows.push(("leaked", text));
    }
    if report.open.len() > SHOWN {
        rows.push((
            "open",
            format!("and {} older ones", report.open.len() - SHOWN),
        ));
    }
    rows.extend(
        report
            .anchors
            .iter()
            .rev()
            .take(SHOWN)
            .map(|anchor| ("anchor", anchor.to_string())),
    );
    print::object(&Value::Null, false, &rows)
}
