//! How keys are used: by day, and which most.

use actix_web::HttpResponse;

use super::chart;
use super::format::grouped;
use super::keys::{path, state};
use super::place::{Place, Topic};
use super::view::{Block, Column, Empty, Page, Row, Table, Value};
use super::visit::Person;
use crate::broker::overview::BusyKey;
use crate::domain::id::OrganizationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Days that are shown.
const DAYS: u16 = 30;
/// Keys that are shown.
const BUSIEST: usize = 10;

/// The use of all keys.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    overview(person, Place::All).await
}

/// The use of an organization's keys.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    overview(person, Place::Organization(id)).await
}

async fn overview(person: Person, place: Place) -> Result<HttpResponse, Problem> {
    if !person.oversees(place) {
        return Err(Problem::not_found());
    }
    let words = person.words;
    let (broker, caller) = (&person.broker, person.caller());
    let days = broker
        .usage_days(caller, place.organization(), DAYS)
        .await?;
    let busiest = broker
        .busiest_keys(caller, place.organization(), DAYS, BUSIEST)
        .await?;
    let mut page = Page::new(words.t("usage"))
        .lead(chart::total(words, &days))
        .block(chart::by_day(words, words.t("chart-all"), &days))
        .block(Block::Heading {
            text: words.t("busiest"),
            id: "busiest",
        });
    page = if busiest.is_empty() {
        page.block(Empty {
            text: words.t("usage-none"),
            action: None,
        })
    } else {
        page.block(table(&person, &busiest))
    };
    person.page(place, Topic::Usage, page).await
}

fn table(person: &Person, busiest: &[BusyKey]) -> Table {
    let words = person.words;
    let times = person.times();
    let row = |busy: &BusyKey| {
        let stored = &busy.key.stored;
        Row {
            cells: vec![
                Value::Link {
                    href: path(&stored.key.id, ""),
                    text: stored.key.name.clone(),
                },
                Value::Data(grouped(busy.exchanges)),
                Value::Data(grouped(busy.refusals)),
                chart::last_use(words, &times, stored.last_used_at),
                state(words, busy.key.status),
            ],
        }
    };
    Table {
        caption: words.t("busiest"),
        columns: vec![
            Column::new(words.t("name")),
            Column::numeric(words.t("chart-exchanges")),
            Column::numeric(words.t("chart-refusals")),
            Column::new(words.t("last-used")),
            Column::new(words.t("state")),
        ],
        rows: busiest.iter().map(row).collect(),
    }
}
