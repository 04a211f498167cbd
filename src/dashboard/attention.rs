//! Keys that need attention: never used, idle, without an end, with more rights than they ever used.

use actix_web::HttpResponse;
use jiff::SignedDuration;

use super::form_parts::ticked_of;
use super::keys::{path, scopes};
use super::language::{Text, Words};
use super::paging::{Address, ROWS, side, sorted_text};
use super::place::{Place, Topic};
use super::view::{
    Block, Choice, Column, Empty, Field, Filter, Kind, Page, Pager, Row, Table, Value,
};
use super::visit::Person;
use crate::broker::keys::{KeyFilter, ShownKey};
use crate::broker::overview::{Attention, KeyOrder, SortedPage, idle_before};
use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::lifecycle::KeyStatus;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// More keys than this are not counted.
const COUNTED: usize = 1_000;
/// Pages of used keys that are looked through for one page of those with too many rights.
const LOOKS: usize = 8;

/// Why a key is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    NeverUsed,
    Idle,
    NeverExpires,
    TooWide,
}

impl Why {
    const ALL: [Self; 4] = [
        Self::NeverUsed,
        Self::Idle,
        Self::NeverExpires,
        Self::TooWide,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::NeverUsed => "never-used",
            Self::Idle => "idle",
            Self::NeverExpires => "never-expires",
            Self::TooWide => "too-wide",
        }
    }

    fn of_word(word: &str) -> Self {
        let found = Self::ALL.into_iter().find(|why| why.word() == word);
        found.unwrap_or(Self::NeverUsed)
    }

    fn title(self, words: Words) -> Text {
        match self {
            Self::NeverUsed => words.t("attention-never-used"),
            Self::Idle => words.t("attention-idle"),
            Self::NeverExpires => words.t("attention-never-expires"),
            Self::TooWide => words.t("attention-too-wide"),
        }
    }

    fn text(self, words: Words) -> Text {
        match self {
            Self::NeverUsed => words.t("attention-never-used-text"),
            Self::Idle => words.t("attention-idle-text"),
            Self::NeverExpires => words.t("attention-never-expires-text"),
            Self::TooWide => words.t("attention-too-wide-text"),
        }
    }

    fn attention(self, now: jiff::Timestamp) -> Attention {
        match self {
            // One that was made today was not used by chance.
            Self::NeverUsed => Attention::NeverUsed(
                now.checked_sub(SignedDuration::from_hours(24))
                    .unwrap_or(now),
            ),
            Self::Idle => Attention::IdleSince(idle_before(now)),
            Self::NeverExpires => Attention::NeverExpires,
            Self::TooWide => Attention::Used,
        }
    }
}

/// Those of the deployment.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    list(person, Place::All).await
}

/// Those of an organization.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    list(person, Place::Organization(id)).await
}

async fn list(person: Person, place: Place) -> Result<HttpResponse, Problem> {
    if !person.oversees(place) {
        return Err(Problem::not_found());
    }
    let words = person.words;
    let why = Why::of_word(person.query.text("why"));
    let base = format!("{}/attention", place.base());
    let filter = KeyFilter {
        organization: place.organization(),
        status: Some(KeyStatus::Active),
        ..KeyFilter::default()
    };
    let attention = why.attention(person.broker.now());
    let found = match why {
        Why::TooWide => too_wide(&person, &filter).await?,
        _ => {
            let order = KeyOrder::Newest;
            let wanted = (filter.clone(), Some(attention));
            person
                .broker
                .sorted_keys(person.caller(), wanted, order, side(&person.query), ROWS)
                .await?
        }
    };
    let choices = Why::ALL
        .into_iter()
        .map(|other| Choice::words(other.word(), other.title(words), other == why))
        .collect();
    let field = Field::text("why", words.t("attention-why")).kind(Kind::Select(choices));
    let mut page = Page::new(words.t("attention"))
        .lead(words.t("attention-lead"))
        .block(Filter {
            action: base.clone(),
            fields: vec![field],
            submit: words.t("show"),
            clear: None,
        })
        .block(Block::Paragraph(why.text(words).into()));
    if found.rows.is_empty() {
        page = page.block(Empty {
            text: words.t("attention-none"),
            action: None,
        });
        return person.page(place, Topic::Attention, page).await;
    }
    let address = Address::new(&base, &person.query, &["why"]);
    let link = |name: &str, row: Option<&(crate::broker::overview::SortedPlace, ShownKey)>| {
        row.map(|(place, _)| address.with(name, &sorted_text(place)))
    };
    let count = match why {
        Why::TooWide => None,
        _ => {
            let wanted = (filter, Some(attention));
            let count = person
                .broker
                .count_keys(person.caller(), wanted, COUNTED + 1)
                .await?;
            Some(words.one("keys-count", "count", count.min(COUNTED)))
        }
    };
    let pager = Pager {
        count,
        newer: link("before", found.rows.first().filter(|_| found.earlier)),
        older: link("after", found.rows.last().filter(|_| found.further)),
        labels: Some(super::paging::labels(words)),
    };
    let keys: Vec<&ShownKey> = found.rows.iter().map(|(_, key)| key).collect();
    page = match why {
        Why::TooWide => page.block(wide_table(&person, &keys).await?),
        _ => page.block(super::keys::table(&person, place, &keys)),
    };
    page = page.block(pager);
    person.page(place, Topic::Attention, page).await
}

/// A page of keys that may do what they never did. They are found by looking through those that were used.
async fn too_wide(person: &Person, filter: &KeyFilter) -> Result<SortedPage, Problem> {
    let mut side = side(&person.query);
    let mut found = SortedPage {
        rows: Vec::new(),
        earlier: false,
        further: false,
    };
    for _ in 0..LOOKS {
        let wanted = (filter.clone(), Some(Attention::Used));
        let page = person
            .broker
            .sorted_keys(
                person.caller(),
                wanted,
                KeyOrder::Newest,
                side.clone(),
                ROWS,
            )
            .await?;
        let ids: Vec<KeyId> = page.rows.iter().map(|(_, key)| key.stored.key.id).collect();
        let used = person.broker.used_permissions(&ids).await?;
        let last = page.rows.last().map(|(place, _)| place.clone());
        found.further = page.further;
        for (place, key) in page.rows {
            let of_key = used.get(&key.stored.key.id).and_then(Option::as_ref);
            if of_key.is_some_and(|used| !key.permissions.is_subset(used)) {
                found.rows.push((place, key));
            }
        }
        let Some(last) = last.filter(|_| page.further) else {
            return Ok(found);
        };
        if found.rows.len() >= ROWS {
            return Ok(found);
        }
        side = crate::broker::overview::Side::After(last);
    }
    Ok(found)
}

async fn wide_table(person: &Person, keys: &[&ShownKey]) -> Result<Table, Problem> {
    let words = person.words;
    let ids: Vec<KeyId> = keys.iter().map(|key| key.stored.key.id).collect();
    let used = person.broker.used_permissions(&ids).await?;
    let row = |key: &&ShownKey| {
        let id = key.stored.key.id;
        let of_key = used.get(&id).and_then(Option::as_ref);
        let used = of_key.map(ticked_of).unwrap_or_default();
        let unused: Vec<String> = ticked_of(&key.permissions)
            .difference(&used)
            .map(|(_, scope)| scope.clone())
            .collect();
        Row {
            cells: vec![
                Value::Link {
                    href: path(&id, ""),
                    text: key.stored.key.name.clone(),
                },
                scopes(words, &key.permissions),
                Value::Scopes {
                    shown: unused,
                    more: None,
                },
                Value::Act {
                    href: path(&id, "/permissions?narrow=used"),
                    text: words.t("narrow-to-used"),
                    about: key.stored.key.name.clone(),
                },
            ],
        }
    };
    Ok(Table {
        caption: words.t("attention-too-wide"),
        columns: ["name", "permissions", "never-used-permissions", "action"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows: keys.iter().map(row).collect(),
    })
}
