//! `kagiya idp import-resources`: what exists at a provider is made here.

use serde_json::{Value, json};

use super::super::client::{self, First};
use super::super::{Failure, GlobalOptions, print};
use super::{ImportOptions, path};

pub(super) fn import(options: &ImportOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = json!({"dry_run": options.dry_run});
    let mut found = client::call(globals, First::Refused, async |client| {
        client
            .post(&path(&options.name, "/import-resources"), &body)
            .await
    })?;
    let list = client::List {
        items: found["items"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default(),
        next_cursor: Value::Null,
    };
    print::list(
        list,
        globals.json,
        ["RESOURCE", "NEW", "NEW PERMISSIONS", "REFUSED"],
        |item| {
            let added = item["added"].as_array().cloned().unwrap_or_default();
            let added: Vec<String> = added.iter().map(print::text).collect();
            [
                print::text(&item["identifier"]),
                print::text(&item["made"]),
                added.join(" "),
                print::text(&item["refused"]),
            ]
        },
    )
}
