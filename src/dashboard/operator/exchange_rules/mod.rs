//! Exchange rules: which application may trade whose tokens for what.

pub mod make;
pub mod questions;
pub mod show;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use actix_web::HttpResponse;

use super::operators_alone;
use crate::broker::ShownExchangeRule;
use crate::dashboard::language::{Text, Words};
use crate::dashboard::paging::{Address, ROWS, after, cut};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Action, Column, Empty, Field, Filter, Page, Row, Table, Tone, Value};
use crate::dashboard::visit::Person;
use crate::domain::exchange_rule::ExchangeMode;
use crate::domain::id::ApplicationId;
use crate::http::access::Access::Person as SignedIn;
use crate::http::problem::Problem;
use crate::http::routing::{Endpoint, get, post};

/// Applications and resources that can be chosen from.
const CHOICES: usize = 200;
const LIST: &str = "/dashboard/exchange-rules";
const NEW: &str = "/dashboard/exchange-rules/new";
const FIELDS: [&str; 5] = [
    "application_id",
    "requires_scope",
    "scopes",
    "delegation",
    "target_resource",
];

/// The pages of exchange rules.
pub fn pages() -> Vec<Endpoint> {
    vec![
        get(LIST, SignedIn, list),
        get(NEW, SignedIn, make::ask),
        post(NEW, SignedIn, make::make),
        get("/dashboard/exchange-rules/{id}", SignedIn, show::show),
        post("/dashboard/exchange-rules/{id}", SignedIn, show::change),
        get(
            "/dashboard/exchange-rules/{id}/delete",
            SignedIn,
            show::ask_delete,
        ),
        post(
            "/dashboard/exchange-rules/{id}/delete",
            SignedIn,
            show::delete,
        ),
    ]
}

fn mode_words(words: Words, mode: ExchangeMode) -> Text {
    match (mode.delegation, mode.impersonation) {
        (true, true) => words.t("rule-mode-both"),
        (true, false) => words.t("rule-mode-delegation"),
        _ => words.t("rule-mode-impersonation"),
    }
}

/// The rules, or those of an application.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn list(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let given = person.query.given("application");
    let application: Option<ApplicationId> = given.and_then(|id| id.parse().ok());
    let mut found = if given.is_some() && application.is_none() {
        Vec::new()
    } else {
        person
            .broker
            .exchange_rules(person.caller(), application, after(&person.query), ROWS + 1)
            .await?
    };
    let address = Address::new(LIST, &person.query, &["application"]);
    let pager = cut(words, &mut found, &address, |shown| {
        (shown.rule.created_at, shown.rule.id.to_string())
    });
    let make =
        application.map_or_else(|| NEW.to_owned(), |id| format!("{NEW}?application_id={id}"));
    let mut page = Page::new(words.t("exchange-rules")).lead(words.t("rules-lead"));
    if found.is_empty() && !address.is_narrowed() {
        page = page.block(Empty {
            text: words.t("rules-none"),
            action: Some(Action {
                label: words.t("rule-make"),
                href: make,
                tone: Tone::Accent,
            }),
        });
        return person.page(Place::All, Topic::ExchangeRules, page).await;
    }
    page = page.action(words.t("rule-make"), make).block(Filter {
        action: LIST.to_owned(),
        fields: vec![
            Field::text("application", words.t("rule-application-id"))
                .value(person.query.text("application")),
        ],
        submit: words.t("filter"),
        clear: address
            .is_narrowed()
            .then(|| (words.t("filter-clear"), address.bare())),
    });
    if found.is_empty() {
        page = page.block(Empty {
            text: words.t("nothing-fits"),
            action: None,
        });
        return person.page(Place::All, Topic::ExchangeRules, page).await;
    }
    let names = names(&person, found.iter().map(|shown| shown.rule.application)).await?;
    let row = |shown: &ShownExchangeRule| {
        let application = shown.rule.application;
        let name = names.get(&application);
        Row {
            cells: vec![
                Value::Link {
                    href: format!("{LIST}/{}", shown.rule.id),
                    text: name.cloned().unwrap_or_else(|| application.to_string()),
                },
                Value::Code(shown.subject_resource.to_string()),
                Value::Code(shown.target_resource.to_string()),
                Value::Scopes {
                    shown: shown.scopes.iter().map(ToString::to_string).collect(),
                    more: None,
                },
                Value::Words(mode_words(words, shown.rule.mode)),
            ],
        }
    };
    let page = page
        .block(Table {
            caption: words.t("exchange-rules"),
            columns: [
                "application",
                "rule-from",
                "rule-to",
                "permissions",
                "rule-mode",
            ]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(Place::All, Topic::ExchangeRules, page).await
}

/// What applications are called.
async fn names(
    person: &Person,
    ids: impl Iterator<Item = ApplicationId>,
) -> Result<HashMap<ApplicationId, String>, Problem> {
    let mut names = HashMap::new();
    for id in ids {
        if let Entry::Vacant(unknown) = names.entry(id) {
            let shown = person.broker.application(id, person.caller()).await?;
            unknown.insert(shown.application.name);
        }
    }
    Ok(names)
}
