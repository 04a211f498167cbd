//! The audit trail: of an organization, or of the deployment, with filters.

use std::collections::HashMap;

use actix_web::HttpResponse;

use super::events::{action_words, actor_value};
use super::fields::Fields;
use super::format::end_of_day;
use super::language::Text;
use super::paging::{Address, ROWS, after, cut};
use super::place::{Place, Topic};
use super::view::{
    Action, Block, Column, Empty, Field, Filter, Kind, Page, Row, Table, Tone, Value,
};
use super::visit::Person;
use crate::broker::EventFilter;
use crate::domain::audit::AuditEvent;
use crate::domain::id::OrganizationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

const NARROWING: [&str; 5] = ["actor", "subject", "action", "since", "until"];

/// The trail of the deployment.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    list(person, Place::All).await
}

/// The trail of an organization.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    list(person, Place::Organization(id)).await
}

/// What a query narrows the trail to.
pub(super) fn filter(query: &Fields, place: Place) -> EventFilter {
    let given = |name: &str| query.given(name).map(str::to_owned);
    // A day begins a second after the one before ends.
    let start = |text: &str| {
        let end = end_of_day(text)?;
        end.checked_sub(jiff::SignedDuration::from_secs(86_399))
            .ok()
    };
    EventFilter {
        organization: place.organization(),
        actor: given("actor"),
        subject: given("subject"),
        action: given("action"),
        since: query.given("since").and_then(start),
        until: query.given("until").and_then(end_of_day),
    }
}

async fn list(person: Person, place: Place) -> Result<HttpResponse, Problem> {
    if !person.oversees(place) {
        return Err(Problem::not_found());
    }
    let words = person.words;
    let query = &person.query;
    let base = format!("{}/audit", place.base());
    let address = Address::new(&base, query, &NARROWING);
    let mut events = person
        .broker
        .audit_events(
            person.caller(),
            filter(query, place),
            after(query),
            ROWS + 1,
        )
        .await?;
    let pager = cut(words, &mut events, &address, |event| {
        (event.at, event.id.to_string())
    });
    let names = person
        .broker
        .names_of(events.iter().map(|event| event.origin.actor.clone()))
        .await?;
    let text =
        |name: &'static str, label: &str| Field::text(name, words.t(label)).value(query.text(name));
    let fields = vec![
        text("actor", "actor"),
        text("subject", "audit-subject"),
        text("action", "audit-action"),
        text("since", "since").kind(Kind::Date),
        text("until", "until").kind(Kind::Date),
    ];
    let mut page = Page::new(words.t("audit")).block(Filter {
        action: base.clone(),
        fields,
        submit: words.t("filter"),
        clear: address
            .is_narrowed()
            .then(|| (words.t("filter-clear"), base.clone())),
    });
    let file = |format: &str, label: Text| Action {
        label,
        href: Address::new(&format!("{base}/export"), query, &NARROWING).with("format", format),
        tone: Tone::Plain,
    };
    page = if events.is_empty() {
        page.block(Empty {
            text: words.t("audit-none"),
            action: None,
        })
    } else {
        page.block(table(&person, &events, &names))
            .block(pager)
            .block(Block::Actions(vec![
                file("csv", words.t("export-csv")),
                file("jsonl", words.t("export-jsonl")),
            ]))
    };
    person.page(place, Topic::Audit, page).await
}

fn table(person: &Person, events: &[AuditEvent], names: &HashMap<String, String>) -> Table {
    let words = person.words;
    let times = person.times();
    let row = |event: &AuditEvent| Row {
        cells: vec![
            Value::Lines(vec![
                Value::Words(action_words(words, &event.action)),
                Value::Code(event.action.clone()),
            ]),
            Value::Code(event.subject.clone()),
            actor_value(words, &event.origin.actor, names),
            Value::Html(times.exact(event.at)),
            match event.origin.address {
                Some(address) => Value::Code(address.to_string()),
                None => Value::Nothing(words.t("unknown")),
            },
        ],
    };
    Table {
        caption: words.t("audit"),
        columns: ["event", "audit-subject", "actor", "when", "address"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows: events.iter().map(row).collect(),
    }
}
