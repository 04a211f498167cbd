//! The application that stands for the gateway (`forward_auth.application_id`).

use super::{Finding, chain};
use crate::config::Config;
use crate::store::{Store, applications, exchange_rules};

const CHECK: &str = "forward_auth";

/// Whether it is there, serves something, and has a rule to trade by.
pub(super) async fn check(config: &Config, store: &Store) -> Finding {
    let Some(id) = config.forward_auth.application_id else {
        return Finding::ok(CHECK, "no application stands for the gateway");
    };
    let found = store
        .read(move |connection| {
            let rules = exchange_rules::all(connection)?;
            let found = applications::find(connection, &id)?;
            Ok::<_, crate::store::Error>((found, rules.iter().any(|rule| rule.application == id)))
        })
        .await;
    let set = "make it with kagiya applications create, or set forward_auth.application_id to one that is there";
    match found {
        Err(error) => Finding::failed(CHECK, chain(&error), "see what database says"),
        Ok((None, _)) => Finding::failed(CHECK, format!("there is no application {id}"), set),
        Ok((Some(application), _)) if application.disabled_at.is_some() => Finding::failed(
            CHECK,
            format!("the application {id} is disabled"),
            "enable it, or tokens that are meant for the gateway are refused",
        ),
        Ok((Some(application), _)) if application.resources.is_empty() => Finding::failed(
            CHECK,
            format!(
                "the application {id} serves no resource, so no token is meant for the gateway"
            ),
            "give it the gateway's own resource (resources)",
        ),
        Ok((Some(_), false)) => Finding::failed(
            CHECK,
            format!("the application {id} has no exchange rule, so it can trade no token"),
            "make one with kagiya exchange-rules create (docs/gateways/README.md)",
        ),
        Ok((Some(_), true)) => Finding::ok(CHECK, format!("{id} may trade tokens for the gateway")),
    }
}
