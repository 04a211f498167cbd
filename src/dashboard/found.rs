//! A key that somebody found somewhere: whose it is, if he may know, and a way to stop it. Whoever holds a key may stop it.
//!
//! The key comes in a form and goes nowhere: no page shows it again. To be stopped it is carried on sealed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::done::Done;
use super::errors::Wrong;
use super::keys::path;
use super::place::{Place, Topic};
use super::view::{Action, Block, Fact, Field, Form, Kind, Notice, Page, Part, Tone, Value};
use super::visit::{Person, PersonForm};
use crate::broker::overview::FoundKey;
use crate::http::problem::Problem;

/// What seals a key on its way from one form to the next.
const FOUND: &str = "found key";

/// Asks for it.
///
/// # Errors
/// The database does not answer.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    let page = asking(&person, &Wrong::new());
    person.page(Place::Nowhere, Topic::Found, page).await
}

fn asking(person: &Person, wrong: &Wrong) -> Page {
    let words = person.words;
    let field = Field::text("key", words.t("found-key"))
        .kind(Kind::Area)
        .help(words.t("found-key-help"))
        .required()
        .error(wrong.of("key"));
    let form = Form::new("/dashboard/found", words.t("found-look")).part(field);
    Page::new(words.t("found"))
        .narrow()
        .lead(words.t("found-lead"))
        .block(form)
}

/// Tells what is known of it.
///
/// # Errors
/// The database does not answer.
pub async fn tell(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words = person.words;
    let place = (Place::Nowhere, Topic::Found);
    let text = fields.text("key");
    if text.is_empty() {
        let page = asking(&person, &Wrong::one("key", words.t("wrong-empty")));
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return person.page_with(status, place, page).await;
    }
    if let Some(address) = person.facts.origin("").address
        && let Err(seconds) = person.broker.take_leaked_call(address)
    {
        let page = asking(&person, &Wrong::one("key", words.t("found-too-many")));
        let status = StatusCode::TOO_MANY_REQUESTS;
        let response = person.page_with(status, place, page).await?;
        return Ok(person.wait(response, seconds));
    }
    let found = person
        .broker
        .found_key(text.as_bytes(), person.caller())
        .await?;
    let sealed = || person.broker.seal_for_browser(FOUND, text.as_bytes());
    let stop = || {
        Form::new("/dashboard/found/stop", words.t("found-stop"))
            .hidden("found", sealed())
            .part(Part::Sentences(vec![
                Value::Words(words.t("found-stop-now")),
                Value::Words(words.t("stop-tokens")),
            ]))
            .tone(Tone::Danger)
            .cancel(words.t("cancel"), "/dashboard/found")
    };
    let page = Page::new(words.t("found")).narrow();
    let page = match found {
        FoundKey::NotOurs => page.block(Notice::news(Tone::Plain, words.t("found-not-ours"))),
        FoundKey::OfOthers { lives: true } => page
            .block(Notice::news(Tone::Warn, words.t("found-of-others")))
            .block(stop()),
        FoundKey::OfOthers { lives: false } => {
            page.block(Notice::news(Tone::Ok, words.t("found-dead")))
        }
        FoundKey::Seen { key, lives } => {
            let owner = key.stored.owner.as_ref().map_or_else(
                || Value::Words(words.t("owner-nobody")),
                |owner| {
                    let named = owner.name.clone();
                    Value::Data(named.unwrap_or_else(|| owner.subject.sub.to_string()))
                },
            );
            let facts = vec![
                Fact {
                    name: words.t("name"),
                    value: Value::Link {
                        href: path(&key.stored.key.id, ""),
                        text: key.stored.key.name.clone(),
                    },
                },
                Fact {
                    name: words.t("owner"),
                    value: owner,
                },
                Fact {
                    name: words.t("state"),
                    value: super::keys::state(words, key.status),
                },
            ];
            let page = page.block(Block::Facts(facts));
            if lives {
                page.block(Notice::news(Tone::Warn, words.t("found-lives")))
                    .block(stop())
            } else {
                page.block(Notice::news(Tone::Ok, words.t("found-dead")))
            }
        }
    };
    let again = Action {
        label: words.t("found-another"),
        href: "/dashboard/found".to_owned(),
        tone: Tone::Plain,
    };
    let page = page.block(Block::Actions(vec![again]));
    person.page(Place::Nowhere, Topic::Found, page).await
}

/// Stops it.
///
/// # Errors
/// The form is too old, or the database does not answer.
pub async fn stop(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let opened = person
        .broker
        .open_of_browser(FOUND, fields.raw("found"))
        .await
        .map_err(crate::broker::Error::from)?;
    let key = opened.ok_or_else(Problem::not_found)?;
    let origin = person.origin();
    let stopped = person
        .broker
        .revoke_leaked(&[key.expose()], origin)
        .await
        .map_err(|refusal| match refusal {
            crate::broker::Refusal::Store(error) => {
                Problem::from(crate::broker::Error::from(error))
            }
            other => Problem::internal(other.to_string()),
        })?;
    let done = if stopped.revoked > 0 {
        Done::FoundStopped
    } else {
        Done::FoundNothing
    };
    Ok(person.done("/dashboard/found", done))
}
