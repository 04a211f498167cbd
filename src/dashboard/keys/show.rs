//! A key's own page: what it is, what it may, how it is used, why it was refused, what became of it.

use actix_web::HttpResponse;

use super::{path, seen, state};
use crate::broker::keys::ShownKey;
use crate::dashboard::chart;
use crate::dashboard::events::{action_words, actor_value};
use crate::dashboard::language::{Text, Words};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Action, Block, Column, Fact, Notice, Page, Row, Table, Tone, Value};
use crate::dashboard::visit::Person;
use crate::domain::id::KeyId;
use crate::domain::lifecycle::KeyStatus;
use crate::domain::refusal::KeyRefusal;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Days of the chart.
const DAYS: u16 = 30;
/// Events that are shown.
const EVENTS: usize = 10;

/// The page.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = seen(&person, id).await?;
    let words = person.words;
    let broker = &person.broker;
    let caller = person.caller();
    let days = broker.key_days(id, caller, DAYS).await?;
    let refusals = broker.key_refusals(id, caller).await?;
    let events = broker.key_events(id, caller, EVENTS).await?;
    let names = broker
        .names_of(events.iter().map(|event| event.origin.actor.clone()))
        .await?;
    let heading = |key: &str, id: &'static str| Block::Heading {
        text: words.t(key),
        id,
    };
    let back = if person.oversees(place) {
        words.t("keys")
    } else {
        words.t("my-keys")
    };
    let mut page = Page::new(words.t("api-key"))
        .heading(&key.stored.key.name)
        .crumb(back, format!("{}/keys", place.base()))
        .block(sentence(&person, &key));
    if let Some(until) = key.stored.retiring_until {
        let times = person.times();
        let told = words.mix(
            "rotate-countdown",
            [("when", &times.tell(until)), ("exact", &times.exact(until))],
        );
        page = page.block(Notice::new(Tone::Warn, told));
    }
    page = page
        .block(Block::Actions(actions(words, &key, person.oversees(place))))
        .block(Block::Facts(facts(&person, &key)))
        .block(heading("permissions", "permissions"))
        .block(granted(words, &key))
        .block(heading("usage", "usage"))
        .block(chart::by_day(words, words.t("chart-key"), &days))
        .block(heading("refusals", "refusals"));
    page = if refusals.is_empty() {
        page.block(Block::Paragraph(words.t("refusals-none").into()))
    } else {
        page.block(refusal_table(&person, &refusals))
    };
    page = page.block(heading("history", "history"));
    let times = person.times();
    let rows = events
        .iter()
        .map(|event| Row {
            cells: vec![
                Value::Words(action_words(words, &event.action)),
                actor_value(words, &event.origin.actor, &names),
                Value::Html(times.tell(event.at)),
                match event.origin.address {
                    Some(address) => Value::Code(address.to_string()),
                    None => Value::Nothing(words.t("unknown")),
                },
            ],
        })
        .collect();
    page = page.block(Table {
        caption: words.t("history"),
        columns: ["event", "actor", "when", "address"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows,
    });
    person.page(place, Topic::Keys, page).await
}

/// What it is now, in a sentence.
fn sentence(person: &Person, key: &ShownKey) -> Notice {
    let words = person.words;
    let times = person.times();
    let used = match key.stored.last_used_at {
        Some(at) => words.mix("sentence-used", [("when", &times.tell(at))]),
        None => crate::dashboard::markup::Markup::text(words.t("sentence-unused").as_str()),
    };
    let lifecycle = &key.stored.key.lifecycle;
    let (tone, text) = match key.status {
        KeyStatus::Active => (Tone::Ok, words.mix("sentence-active", [("used", &used)])),
        KeyStatus::Disabled => {
            let since = times.tell(lifecycle.disabled_at.unwrap_or_default());
            let text = words.mix("sentence-disabled", [("when", &since), ("used", &used)]);
            (Tone::Warn, text)
        }
        KeyStatus::Expired => {
            let since = times.tell(lifecycle.expires_at.unwrap_or_default());
            let text = words.mix("sentence-expired", [("when", &since), ("used", &used)]);
            (Tone::Danger, text)
        }
        KeyStatus::Revoked => {
            let since = times.tell(lifecycle.revoked_at.unwrap_or_default());
            let text = words.mix("sentence-revoked", [("when", &since), ("used", &used)]);
            (Tone::Danger, text)
        }
        KeyStatus::Pending => (Tone::Plain, words.mix("sentence-pending", [])),
    };
    Notice::new(tone, text)
}

fn actions(words: Words, key: &ShownKey, oversees: bool) -> Vec<Action> {
    let action = |label: Text, below: &str, tone| Action {
        label,
        href: path(&key.stored.key.id, below),
        tone,
    };
    let mut actions = Vec::new();
    if key.status == KeyStatus::Revoked {
        return actions;
    }
    if matches!(key.status, KeyStatus::Active | KeyStatus::Disabled) {
        actions.push(action(words.t("rotate"), "/rotate", Tone::Plain));
    }
    actions.push(action(
        words.t("permissions-edit"),
        "/permissions",
        Tone::Plain,
    ));
    actions.push(action(words.t("edit"), "/edit", Tone::Plain));
    if oversees {
        actions.push(action(words.t("hand-over"), "/owner", Tone::Plain));
    }
    if key.stored.key.lifecycle.disabled_at.is_some() {
        actions.push(action(words.t("enable"), "/enable", Tone::Plain));
    } else {
        actions.push(action(words.t("disable"), "/disable", Tone::Plain));
    }
    actions.push(action(words.t("revoke"), "/revoke", Tone::Danger));
    actions
}

fn facts(person: &Person, key: &ShownKey) -> Vec<Fact> {
    let words = person.words;
    let times = person.times();
    let stored = &key.stored;
    let nothing = || Value::Nothing(words.t("none"));
    let fact = |name: &str, value: Value| Fact {
        name: words.t(name),
        value,
    };
    let networks = stored.key.allowed_cidrs.as_ref().map(|cidrs| {
        let lines = cidrs.iter().map(|network| Value::Code(network.to_string()));
        Value::Lines(lines.collect())
    });
    let rate = stored.key.rate_limit.map(|rate| {
        let per = times.span(rate.per_seconds().get().into());
        Value::Words(words.with(
            "rate-told",
            [
                ("count", i64::from(rate.requests().get()).into()),
                ("span", (&per).into()),
            ],
        ))
    });
    let mut facts = vec![
        fact("state", state(words, key.status)),
        fact(
            "hint",
            stored
                .active
                .as_ref()
                .map_or_else(nothing, |active| Value::Code(active.hint.clone())),
        ),
        fact(
            "key-id",
            Value::Copy {
                text: stored.key.id.to_string(),
                label: words.t("copy"),
            },
        ),
        fact(
            "expires",
            match stored.key.lifecycle.expires_at {
                Some(end) => Value::Html(times.exact(end)),
                None => Value::Words(words.t("never-expires")),
            },
        ),
        fact(
            "addresses",
            networks.unwrap_or_else(|| Value::Words(words.t("addresses-any"))),
        ),
        fact(
            "rate-limit",
            rate.unwrap_or_else(|| Value::Words(words.t("rate-none"))),
        ),
        fact(
            "made",
            Value::Html(times.exact(stored.key.lifecycle.created_at)),
        ),
    ];
    if let Some(at) = stored.key.rotated_at {
        facts.push(fact("rotated", Value::Html(times.exact(at))));
    }
    if person.oversees(Place::Organization(stored.key.organization_id)) {
        let owner = stored.owner.as_ref().map(|owner| {
            let named = owner.name.clone();
            Value::Data(named.unwrap_or_else(|| owner.subject.sub.to_string()))
        });
        facts.push(fact(
            "owner",
            owner.unwrap_or_else(|| Value::Words(words.t("owner-nobody"))),
        ));
        facts.push(fact(
            "provider",
            Value::Code(stored.key.provider.to_string()),
        ));
    }
    facts
}

fn granted(words: Words, key: &ShownKey) -> Block {
    let facts: Vec<Row> = key
        .permissions
        .iter()
        .map(|(resource, scopes)| Row {
            cells: vec![
                Value::Code(resource.to_string()),
                Value::Scopes {
                    shown: scopes.iter().map(ToString::to_string).collect(),
                    more: None,
                },
            ],
        })
        .collect();
    if facts.is_empty() {
        return Block::Paragraph(words.t("no-permissions").into());
    }
    Table {
        caption: words.t("permissions"),
        columns: vec![
            Column::new(words.t("resource")),
            Column::new(words.t("permissions")),
        ],
        rows: facts,
    }
    .into()
}

fn refusal_table(person: &Person, refusals: &[KeyRefusal]) -> Table {
    let words = person.words;
    let times = person.times();
    let row = |refusal: &KeyRefusal| Row {
        cells: vec![
            Value::Words(reason_words(words, &refusal.reason)),
            Value::Html(times.tell(refusal.at)),
            match (&refusal.resource, &refusal.scope) {
                (None, None) => Value::Nothing(words.t("none")),
                (resource, scope) => Value::Lines(
                    resource
                        .iter()
                        .chain(scope)
                        .map(|text| Value::Code(text.clone()))
                        .collect(),
                ),
            },
            match refusal.address {
                Some(address) => Value::Code(address.to_string()),
                None => Value::Nothing(words.t("unknown")),
            },
        ],
    };
    Table {
        caption: words.t("refusals"),
        columns: ["reason", "when", "asked-for", "address"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows: refusals.iter().map(row).collect(),
    }
}

/// Why a key was refused, in words.
pub fn reason_words(words: Words, reason: &str) -> Text {
    match reason {
        "api_key_revoked" => words.t("reason-revoked"),
        "api_key_rotated" => words.t("reason-rotated"),
        "api_key_expired" => words.t("reason-expired"),
        "api_key_disabled" => words.t("reason-disabled"),
        "address_not_allowed" => words.t("reason-address"),
        "rate_limited" => words.t("reason-rate"),
        "invalid_target" => words.t("reason-target"),
        "invalid_scope" => words.t("reason-scope"),
        _ => words.t("reason-other"),
    }
}
