//! A client secret is shown, this once: when the application was made, and when a secret was added. Kept as a shown key is
//! (`keys/shown_once.rs`).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::use_it::{facts, lines};
use super::{path, seen};
use crate::broker::idempotency::{Attempt, KeptAnswer};
use crate::broker::{IssuedSecret, MadeApplication};
use crate::dashboard::cookies::CookieName;
use crate::dashboard::markup::Markup;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::sign_in::set;
use crate::dashboard::view::{Action, Block, Guide, Notice, Page, Tone, Value};
use crate::dashboard::visit::{Person, SHOWN};
use crate::domain::id::ApplicationId;
use crate::http::problem::Problem;

/// What is kept of the outcome.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: ApplicationId,
    /// None where it signs assertions.
    secret: Option<String>,
}

/// An application just made, as it is kept.
pub(super) fn made(made: &MadeApplication) -> KeptAnswer {
    let secret = made.secret.as_ref();
    kept(Kept {
        id: made.shown.application.id,
        secret: secret.map(|issued| issued.secret.expose().to_owned()),
    })
}

/// A secret just added, as it is kept.
pub(super) fn added(issued: &IssuedSecret) -> KeptAnswer {
    kept(Kept {
        id: issued.stored.application_id,
        secret: Some(issued.secret.expose().to_owned()),
    })
}

fn kept(kept: Kept) -> KeptAnswer {
    KeptAnswer {
        status: 200,
        headers: Vec::new(),
        // Two texts, which always have a JSON form.
        body: serde_json::to_string(&kept).unwrap_or_default(),
    }
}

/// The page that shows it; of one that has no secret, its own.
///
/// # Errors
/// The database does not answer.
pub(super) async fn show(
    person: &Person,
    answer: &KeptAnswer,
    attempt: &Attempt,
) -> Result<HttpResponse, Problem> {
    let kept: Kept =
        serde_json::from_str(&answer.body).map_err(|error| Problem::internal(error.to_string()))?;
    let Some(secret) = kept.secret else {
        return Ok(person.redirect(&path(&kept.id, "?made=1")));
    };
    let words = person.words;
    let (shown, place) = seen(person, kept.id).await?;
    let mut page = Page::new(words.t("client-secret-made"))
        .narrow()
        .block(Notice::news(Tone::Warn, words.t("client-secret-once")))
        .block(Block::Secret {
            label: words.one("client-secret-of", "name", &shown.application.name),
            text: secret,
            copy: words.t("client-secret-copy"),
        })
        .block(Block::Actions(vec![Action {
            label: words.t("key-stored"),
            href: path(&kept.id, ""),
            tone: Tone::Plain,
        }]))
        .block(Block::Facts(facts(person, &shown)))
        .block(Block::Heading {
            text: words.t("key-use"),
            id: "use",
        })
        .block(Guide {
            steps: vec![
                Value::Html(words.mix(
                    "client-use-store",
                    [("command", &Markup::code("umask 077; cat > kagiya.secret"))],
                )),
                Value::Words(words.t("client-use-token")),
            ],
        });
    if let Some(lines) = lines(person, &shown) {
        page = page.block(lines);
    }
    let mut response = person.page(place, Topic::Applications, page).await?;
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
pub(super) async fn gone(person: &Person, place: Place) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let page = Page::new(words.t("client-secret-before"))
        .narrow()
        .block(Notice::new(
            Tone::Warn,
            words.t("client-secret-before-text"),
        ))
        .block(Block::Actions(vec![Action {
            label: words.t("applications"),
            href: format!("{}/applications", place.base()),
            tone: Tone::Accent,
        }]));
    person
        .page_with(StatusCode::CONFLICT, (place, Topic::Applications), page)
        .await
}
