//! A key is rotated: now, or with a grace in which the old one still works.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use jiff::SignedDuration;

use super::{path, seen, shown_once};
use crate::broker::idempotency::{Attempt, Keep};
use crate::broker::keys::{Rotation, ShownKey};
use crate::broker::{Conflict, Error};
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Choice, Field, Form, Kind, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::KeyId;
use crate::domain::lifecycle::KeyStatus;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// The graces that are offered, in seconds.
const GRACES: [i64; 5] = [0, 3_600, 86_400, 604_800, 2_592_000];

/// Asks how.
///
/// # Errors
/// Not there, not his, or in a state that does not allow it.
pub async fn ask(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = seen(&person, id).await?;
    if !matches!(key.status, KeyStatus::Active | KeyStatus::Disabled) {
        return Err(Conflict::KeyStatus(key.status).into());
    }
    let page = form(&person, &key, 0, &Wrong::new());
    person.page(place, Topic::Keys, page).await
}

fn form(person: &Person, key: &ShownKey, chosen: i64, wrong: &Wrong) -> Page {
    let words = person.words;
    let times = person.times();
    let id = key.stored.key.id;
    let choice = |seconds: i64| {
        let label = if seconds == 0 {
            words.t("rotate-now")
        } else {
            let span = times.span(seconds);
            words.one("rotate-keep", "span", &span)
        };
        let help = (seconds == 0).then(|| words.t("rotate-now-help").to_string());
        Choice::words(seconds.to_string(), label, seconds == chosen).help(help)
    };
    let grace = Field::text("grace", words.t("rotate-when"))
        .kind(Kind::Radio(GRACES.into_iter().map(choice).collect()));
    let mut told = vec![
        Value::Words(words.t("rotate-new")),
        Value::Words(words.t("rotate-same")),
    ];
    if key.stored.retiring_until.is_some() {
        told.push(Value::Words(words.t("rotate-ends-older")));
    }
    let attempt = BrowserSecret::generate(SecretKind::Attempt, &**person.broker.random());
    let form = Form::new(path(&id, "/rotate"), words.t("rotate"))
        .hidden("attempt", attempt.expose())
        .part(Part::Sentences(told))
        .part(grace)
        .cancel(words.t("cancel"), path(&id, ""));
    let mut page = Page::new(words.t("rotate-key"))
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page.block(form)
}

/// Rotates it.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn rotate(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (key, place) = seen(&person, id).await?;
    let asked = fields.text("grace").parse().unwrap_or(0);
    let grace = GRACES
        .into_iter()
        .find(|grace| *grace == asked)
        .unwrap_or(0);
    let rotation = Rotation {
        grace: SignedDuration::from_secs(grace),
    };
    let mut attempt = Attempt::new(
        &person.caller().actor,
        &format!("page: rotate {id}"),
        fields.raw("attempt"),
        &fields.bytes(),
    )
    .of(person.caller().clone());
    let answer = match person.broker.begin(&mut attempt).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let keep = Keep {
                attempt: &attempt,
                render: &shown_once::kept,
            };
            let rotated = person
                .broker
                .rotate_key(
                    id,
                    rotation,
                    person.caller(),
                    person.origin(),
                    (|_| true, Some(keep)),
                )
                .await;
            match rotated {
                Ok(issued) => shown_once::kept(&issued),
                Err(error) => {
                    person.broker.abandon(&attempt).await;
                    let wrong = of_form(person.words, error, &[])?;
                    let page = form(&person, &key, grace, &wrong);
                    let status = StatusCode::UNPROCESSABLE_ENTITY;
                    return person.page_with(status, (place, Topic::Keys), page).await;
                }
            }
        }
        Err(Error::Conflict(Conflict::IdempotencyAnswerGone)) => {
            return shown_once::gone(&person, place).await;
        }
        Err(error) => return Err(error.into()),
    };
    shown_once::show(&person, &answer, &attempt).await
}
