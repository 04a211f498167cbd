//! The applications of an organization, or all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use actix_web::HttpResponse;

use super::{path, state};
use crate::broker::ShownApplication;
use crate::dashboard::keys::scopes;
use crate::dashboard::operator::operators_alone;
use crate::dashboard::organization::overseen;
use crate::dashboard::paging::{Address, ROWS, after, cut, search, sought};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Action, Column, Empty, Page, Row, Table, Tone, Value};
use crate::dashboard::visit::Person;
use crate::domain::id::OrganizationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// All of them.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    list(&person, Place::All).await
}

/// Those of an organization.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    overseen(&person, id).await?;
    list(&person, Place::Organization(id)).await
}

async fn list(person: &Person, place: Place) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let here = format!("{}/applications", place.base());
    let mut found = person
        .broker
        .applications(
            person.caller(),
            (place.organization(), sought(&person.query)),
            after(&person.query),
            ROWS + 1,
        )
        .await?;
    let address = Address::new(&here, &person.query, &["q"]);
    let pager = cut(words, &mut found, &address, |shown| {
        (
            shown.application.created_at,
            shown.application.id.to_string(),
        )
    });
    let mut page = Page::new(words.t("applications")).lead(words.t("applications-lead"));
    let make = format!("{here}/new");
    if found.is_empty() && !address.is_narrowed() {
        page = page.block(Empty {
            text: words.t("applications-none"),
            action: Some(Action {
                label: words.t("application-make"),
                href: make,
                tone: Tone::Accent,
            }),
        });
        return person.page(place, Topic::Applications, page).await;
    }
    page = page.action(words.t("application-make"), make).block(search(
        words,
        &address,
        &person.query,
    ));
    if found.is_empty() {
        page = page.block(Empty {
            text: words.t("nothing-fits"),
            action: None,
        });
        return person.page(place, Topic::Applications, page).await;
    }
    let names = match place {
        Place::All => organizations(person, &found).await?,
        _ => HashMap::new(),
    };
    let times = person.times();
    let row = |shown: &ShownApplication| {
        let application = &shown.application;
        let mut cells = vec![
            Value::Lines(vec![
                Value::Link {
                    href: path(&application.id, ""),
                    text: application.name.clone(),
                },
                Value::Code(application.id.to_string()),
            ]),
            scopes(words, &shown.permissions),
        ];
        if place == Place::All {
            let name = application.organization_id.and_then(|id| names.get(&id));
            cells.push(match name {
                Some(name) => Value::Data(name.clone()),
                None => Value::Words(words.t("application-of-deployment")),
            });
        }
        cells.push(Value::Html(times.tell(application.created_at)));
        cells.push(state(words, application));
        Row { cells }
    };
    let titles: &[&str] = match place {
        Place::All => &["name", "permissions", "organization", "made", "state"],
        _ => &["name", "permissions", "made", "state"],
    };
    let page = page
        .block(Table {
            caption: words.t("applications"),
            columns: titles.iter().map(|key| Column::new(words.t(key))).collect(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(place, Topic::Applications, page).await
}

/// The names of the organizations that these belong to.
async fn organizations(
    person: &Person,
    found: &[ShownApplication],
) -> Result<HashMap<OrganizationId, String>, Problem> {
    let mut names = HashMap::new();
    for id in found
        .iter()
        .filter_map(|shown| shown.application.organization_id)
    {
        if let Entry::Vacant(unknown) = names.entry(id) {
            let shown = person
                .broker
                .shown_organization(id, person.caller())
                .await?;
            unknown.insert(shown.organization.name);
        }
    }
    Ok(names)
}
