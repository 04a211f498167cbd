//! A key is shown, this once: when it was made and when it was rotated.
//!
//! The answer to the form is the page that shows it. It is kept, sealed, only so that a reload or a lost answer shows the same key and
//! makes no second one; it is erased as soon as the person goes on to any other page, or the key is used.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{path, seen};
use crate::broker::idempotency::{Attempt, KeptAnswer};
use crate::broker::keys::IssuedKey;
use crate::dashboard::cookies::CookieName;
use crate::dashboard::language::{Text, Words};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::sign_in::set;
use crate::dashboard::snippets;
use crate::dashboard::view::{Action, Block, Guide, Notice, Page, Tone, Value};
use crate::dashboard::visit::{Person, SHOWN};
use crate::domain::id::KeyId;
use crate::domain::text::TextError;
use crate::http::problem::Problem;

/// What is kept of the outcome.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: KeyId,
    key: String,
}

/// The outcome as it is kept.
pub fn kept(issued: &IssuedKey) -> KeptAnswer {
    let kept = Kept {
        id: issued.shown.stored.key.id,
        key: issued.key.expose().to_owned(),
    };
    KeptAnswer {
        status: 200,
        headers: Vec::new(),
        // Two texts, which always have a JSON form.
        body: serde_json::to_string(&kept).unwrap_or_default(),
    }
}

/// The page that shows it.
///
/// # Errors
/// The database does not answer.
pub async fn show(
    person: &Person,
    answer: &KeptAnswer,
    attempt: &Attempt,
) -> Result<HttpResponse, Problem> {
    let kept: Kept =
        serde_json::from_str(&answer.body).map_err(|error| Problem::internal(error.to_string()))?;
    let words = person.words;
    let (key, place) = seen(person, kept.id).await?;
    let base = &person.dashboard.base;
    let resource = key
        .default_resource
        .as_ref()
        .or_else(|| key.permissions.iter().map(|(resource, _)| resource).next());
    let lines = snippets::trade(words, base, resource.map(|resource| resource.as_str()));
    let mut page = Page::new(words.t("key-made"))
        .narrow()
        .block(Notice::news(Tone::Warn, words.t("key-shown-once")))
        .block(Block::Secret {
            label: words.one("key-secret", "name", &key.stored.key.name),
            text: kept.key,
            copy: words.t("copy-key"),
        });
    if let Some(until) = key.stored.retiring_until {
        let told = words.mix("rotate-old-until", [("when", &person.times().exact(until))]);
        page = page.block(Notice::new(Tone::Plain, told));
    } else if key.stored.key.rotated_at.is_some() {
        page = page.block(Notice::new(Tone::Plain, words.t("rotate-old-dead")));
    }
    let page = page
        .block(Block::Actions(vec![Action {
            label: words.t("key-stored"),
            href: path(&kept.id, ""),
            tone: Tone::Plain,
        }]))
        .block(Block::Heading {
            text: words.t("key-use"),
            id: "use",
        })
        .block(Guide {
            steps: vec![
                Value::Html(words.mix(
                    "key-use-store",
                    [(
                        "command",
                        &crate::dashboard::markup::Markup::code("umask 077; cat > kagiya.key"),
                    )],
                )),
                Value::Words(words.t("key-use-trade")),
            ],
        })
        .block(lines);
    let mut response = person.page(place, Topic::Keys, page).await?;
    let sealed = person.broker.seal_for_browser(SHOWN, &attempt.record());
    set(
        &mut response,
        &person.dashboard.cookies.set(CookieName::Shown, sealed),
    )?;
    Ok(response)
}

/// The page where it was shown before.
///
/// # Errors
/// The database does not answer.
pub async fn gone(person: &Person, place: Place) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let page = Page::new(words.t("key-shown-before"))
        .narrow()
        .block(Notice::new(Tone::Warn, words.t("key-shown-before-text")))
        .block(Block::Actions(vec![Action {
            label: words.t("keys"),
            href: format!("{}/keys", place.base()),
            tone: Tone::Accent,
        }]));
    person
        .page_with(StatusCode::CONFLICT, (place, Topic::Keys), page)
        .await
}

/// What is wrong with a name.
pub fn name_words(words: Words, error: TextError) -> Text {
    match error {
        TextError::Empty => words.t("wrong-empty"),
        TextError::TooLong(_) => words.t("wrong-long"),
        TextError::Control => words.t("wrong-value"),
    }
}
