//! Lists of keys: a person's own, an organization's, or all.

use actix_web::HttpResponse;

use super::{path, scopes, state};
use crate::broker::keys::{KeyFilter, OwnerName, ShownKey};
use crate::broker::overview::{KeyOrder, SortedPlace};
use crate::dashboard::chart::last_use;
use crate::dashboard::language::{Text, Words};
use crate::dashboard::paging::{Address, ROWS, labels, side, sorted_text};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Choice, Column, Empty, Field, Filter, Kind, Page, Pager, Row, Table, Tone, Value,
};
use crate::dashboard::visit::Person;
use crate::domain::id::OrganizationId;
use crate::domain::text;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// More keys than this are not counted.
const COUNTED: usize = 1_000;
const NARROWING: [&str; 4] = ["q", "status", "sort", "owner"];

/// The keys of the deployment.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    if !person.is_operator() {
        return Err(Problem::not_found());
    }
    list_in(person, Place::All).await
}

/// The keys of an organization, or the person's own there.
///
/// # Errors
/// Not his organization, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    list_in(person, Place::Organization(id)).await
}

/// The list of a place.
///
/// # Errors
/// The database does not answer.
async fn list_in(person: Person, place: Place) -> Result<HttpResponse, Problem> {
    let words = person.words;
    if let Some(id) = place.organization() {
        // What is not his is not there.
        person
            .broker
            .shown_organization(id, person.caller())
            .await?;
        person.facts.organization(id);
    }
    let query = &person.query;
    let order = order(query.text("sort"));
    let status = query.given("status").and_then(|word| word.parse().ok());
    let filter = KeyFilter {
        organization: place.organization(),
        owner: query
            .given("owner")
            .and_then(|id| id.parse().ok())
            .map(OwnerName::Id),
        status,
        text: query.given("q").and_then(|text| text::name(text).ok()),
    };
    let broker = &person.broker;
    let page = broker
        .sorted_keys(
            person.caller(),
            (filter.clone(), None),
            order,
            side(query),
            ROWS,
        )
        .await?;
    let count = broker
        .count_keys(person.caller(), (filter, None), COUNTED + 1)
        .await?;
    let base = format!("{}/keys", place.base());
    let address = Address::new(&base, query, &NARROWING);
    let oversees = person.oversees(place);
    let title = if oversees {
        words.t("keys")
    } else {
        words.t("my-keys")
    };
    let mut shown = Page::new(title);
    if place.organization().is_some() {
        shown = shown.action(words.t("make-key"), format!("{base}/new"));
    }
    let narrowed = ["q", "status", "owner"]
        .iter()
        .any(|name| query.given(name).is_some());
    if page.rows.is_empty() && !narrowed {
        shown = shown.block(nothing(words, place, &base));
        return person.page(place, Topic::Keys, shown).await;
    }
    shown = shown.block(filter_form(&person, &base, &address, narrowed));
    if page.rows.is_empty() {
        shown = shown.block(Empty {
            text: words.t("nothing-fits"),
            action: Some(Action {
                label: words.t("filter-clear"),
                href: base.clone(),
                tone: Tone::Plain,
            }),
        });
        return person.page(place, Topic::Keys, shown).await;
    }
    let link = |name: &str, place: Option<&SortedPlace>| {
        place.map(|place| address.with(name, &sorted_text(place)))
    };
    let first = page.rows.first().map(|(place, _)| place);
    let last = page.rows.last().map(|(place, _)| place);
    let pager = Pager {
        count: Some(counted(words, count)),
        newer: link("before", first.filter(|_| page.earlier)),
        older: link("after", last.filter(|_| page.further)),
        labels: Some(sort_labels(words, order)),
    };
    let keys: Vec<&ShownKey> = page.rows.iter().map(|(_, key)| key).collect();
    shown = shown.block(table(&person, place, &keys)).block(pager);
    person.page(place, Topic::Keys, shown).await
}

/// How many there are, in words.
fn counted(words: Words, count: usize) -> Text {
    if count > COUNTED {
        words.one("keys-more-than", "count", COUNTED)
    } else {
        words.one("keys-count", "count", count)
    }
}

fn sort_labels(words: Words, order: KeyOrder) -> (Text, Text) {
    match order {
        KeyOrder::Newest => labels(words),
        _ => (words.t("page-before"), words.t("page-behind")),
    }
}

fn order(word: &str) -> KeyOrder {
    match word {
        "name" => KeyOrder::Name,
        "used" => KeyOrder::LastUsed,
        "expiry" => KeyOrder::Expiry,
        _ => KeyOrder::Newest,
    }
}

fn nothing(words: Words, place: Place, base: &str) -> Empty {
    match place {
        Place::Organization(_) => Empty {
            text: words.t("keys-none"),
            action: Some(Action {
                label: words.t("make-key"),
                href: format!("{base}/new"),
                tone: Tone::Accent,
            }),
        },
        _ => Empty {
            text: words.t("keys-none-anywhere"),
            action: Some(Action {
                label: words.t("organizations"),
                href: "/dashboard/organizations".to_owned(),
                tone: Tone::Plain,
            }),
        },
    }
}

fn filter_form(person: &Person, base: &str, address: &Address<'_>, narrowed: bool) -> Filter {
    let words = person.words;
    let query = &person.query;
    let chosen = query.text("status");
    let states = [
        ("", words.t("state-any")),
        ("active", words.t("state-active")),
        ("disabled", words.t("state-disabled")),
        ("expired", words.t("state-expired")),
        ("revoked", words.t("state-revoked")),
    ];
    let states = states
        .into_iter()
        .map(|(word, label)| Choice::words(word, label, word == chosen))
        .collect();
    let sorted = query.text("sort");
    let sorts = [
        ("", words.t("sort-newest")),
        ("name", words.t("sort-name")),
        ("used", words.t("sort-used")),
        ("expiry", words.t("sort-expiry")),
    ];
    let sorts = sorts
        .into_iter()
        .map(|(word, label)| Choice::words(word, label, word == sorted))
        .collect();
    let mut fields = vec![
        Field::text("q", words.t("search")).value(query.text("q")),
        Field::text("status", words.t("state")).kind(Kind::Select(states)),
        Field::text("sort", words.t("sort")).kind(Kind::Select(sorts)),
    ];
    if let Some(owner) = query.given("owner") {
        fields.push(Field::text("owner", words.t("owner-id")).value(owner));
    }
    Filter {
        action: base.to_owned(),
        fields,
        submit: words.t("filter"),
        clear: narrowed.then(|| (words.t("filter-clear"), address.bare())),
    }
}

/// Keys as a table.
pub fn table(person: &Person, place: Place, keys: &[&ShownKey]) -> Table {
    let words = person.words;
    let times = person.times();
    let oversees = person.oversees(place);
    let mut columns = vec![
        Column::new(words.t("name")),
        Column::new(words.t("permissions")),
    ];
    if oversees {
        columns.push(Column::new(words.t("owner")));
    }
    columns.extend(["last-used", "expires", "state"].map(|key| Column::new(words.t(key))));
    let row = |key: &&ShownKey| {
        let stored = &key.stored;
        let hint = stored.active.as_ref().map(|active| active.hint.clone());
        let mut name = vec![Value::Link {
            href: path(&stored.key.id, ""),
            text: stored.key.name.clone(),
        }];
        name.extend(hint.map(Value::Code));
        let mut cells = vec![Value::Lines(name), scopes(words, &key.permissions)];
        if oversees {
            cells.push(match &stored.owner {
                None => Value::Nothing(words.t("owner-nobody")),
                Some(owner) => {
                    let named = owner.name.clone();
                    Value::Data(named.unwrap_or_else(|| owner.subject.sub.to_string()))
                }
            });
        }
        cells.push(last_use(words, &times, stored.last_used_at));
        cells.push(match stored.key.lifecycle.expires_at {
            None => Value::Words(words.t("never")),
            Some(end) => Value::Html(times.tell(end)),
        });
        cells.push(state(words, key.status));
        Row { cells }
    };
    Table {
        caption: words.t("keys"),
        columns,
        rows: keys.iter().map(row).collect(),
    }
}
