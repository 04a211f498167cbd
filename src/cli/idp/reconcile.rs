//! `kagiya idp reconcile`: the record and a provider held against each other.

use serde_json::{Value, json};

use super::super::client::{self, First};
use super::super::{Failure, GlobalOptions, permissions, print};
use super::ReconcileOptions;

pub(super) fn reconcile(
    options: &ReconcileOptions,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    let body = json!({"dry_run": options.dry_run, "delete_orphans": options.delete_orphans});
    let reports = client::call(globals, First::Refused, async |client| {
        let names: Vec<String> = match &options.name {
            Some(name) => vec![name.to_string()],
            None => {
                let all = client.get("/v1/identity-providers").await?;
                let items = all["items"].as_array().cloned().unwrap_or_default();
                items
                    .iter()
                    .map(|item| print::text(&item["name"]))
                    .collect()
            }
        };
        let mut reports = Vec::new();
        for name in names {
            let path = format!("/v1/identity-providers/{name}/reconcile");
            reports.push((name.clone(), client.post(&path, &body).await?));
        }
        Ok(reports)
    })?;
    if globals.json {
        let reports: Vec<Value> = reports
            .into_iter()
            .map(|(name, mut report)| {
                report["identity_provider"] = json!(name);
                report
            })
            .collect();
        return print::json(&json!({"items": reports}));
    }
    for (name, report) in &reports {
        let count = |member: &str| report[member].as_array().map_or(0, Vec::len);
        print::line(&format!(
            "{name}: {} users, {} that nobody needs, {} keys without a user, {} of {} compared with other rights",
            report["users"],
            count("orphans"),
            count("missing"),
            count("differences"),
            report["compared"],
        ))?;
        for orphan in report["orphans"].as_array().into_iter().flatten() {
            let (subject, username) = (&orphan["subject"], &orphan["username"]);
            print::line(&format!(
                "  nobody needs   {} {}",
                print::text(subject),
                print::text(username)
            ))?;
        }
        for missing in report["missing"].as_array().into_iter().flatten() {
            print::line(&format!(
                "  without a user {}",
                print::text(&missing["key_id"])
            ))?;
        }
        for difference in report["differences"].as_array().into_iter().flatten() {
            let (more, less) = (&difference["more"], &difference["less"]);
            let key = print::text(&difference["key_id"]);
            print::line(&format!(
                "  other rights   {key}: beyond the record {}; lacks {}",
                permissions::in_words(more),
                permissions::in_words(less)
            ))?;
        }
        if report["removing"] != 0 {
            print::line(&format!("  removing       {}", report["removing"]))?;
        }
    }
    Ok(())
}
