//! `kagiya idp check` and `kagiya idp pending`: what is missing at a provider, and what is still to be done there.

use serde_json::{Value, json};

use super::super::client::{self, First};
use super::super::{Failure, GlobalOptions, print};
use super::{PendingOptions, path};
use crate::domain::provider_name::ProviderName;

pub(super) fn check(name: &ProviderName, globals: &GlobalOptions) -> Result<(), Failure> {
    let found = client::call(globals, First::Refused, async |client| {
        client.post(&path(name, "/check"), &json!({})).await
    })?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    let wrong: Vec<&str> = items
        .iter()
        .filter(|item| item["ok"] == false)
        .filter_map(|item| item["check"].as_str())
        .collect();
    if globals.json {
        print::json(&json!({"ok": wrong.is_empty(), "checks": items}))?;
    } else {
        for item in &items {
            let (word, detail) = match item["ok"] == true {
                true => ("ok", String::new()),
                false => ("FAILED", print::text(&item["detail"])),
            };
            print::line(&format!(
                "{word:8} {:22} {detail}",
                print::text(&item["check"])
            ))?;
            if item["remedy"].is_string() {
                print::line(&format!(
                    "{:8} {:22} → {}",
                    "",
                    "",
                    print::text(&item["remedy"])
                ))?;
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused {
        code: "not_prepared".to_owned(),
        detail: format!("{name} is not as it must be: {}", wrong.join(", ")),
    })
}

pub(super) fn pending(options: &PendingOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let list = client::call(globals, First::Refused, async |client| {
        if options.retry {
            client
                .post("/v1/pending-operations/retry", &json!({}))
                .await?;
        }
        client.get("/v1/pending-operations").await
    })?;
    let mut list = list;
    let list = client::List {
        items: list["items"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default(),
        next_cursor: Value::Null,
    };
    let headings = [
        "PROVIDER",
        "WHAT",
        "ABOUT",
        "TRIES",
        "SINCE",
        "STUCK",
        "LAST ERROR",
    ];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["identity_provider"]),
            print::text(&item["kind"]),
            print::text(&item["subject"]),
            print::text(&item["attempts"]),
            print::moment(&item["since"]),
            print::text(&item["stuck"]),
            print::text(&item["last_error"]),
        ]
    })
}
