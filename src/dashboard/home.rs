//! The way in: to where a person is at home, or, for one who belongs nowhere yet, to be told whom to ask.

use actix_web::HttpResponse;

use super::place::{Place, Topic};
use super::view::{Block, Fact, Notice, Page, Tone, Value};
use super::visit::{Person, Visitor};
use crate::http::problem::Problem;

/// The root of the server leads to the pages.
pub async fn root(visitor: Visitor) -> HttpResponse {
    visitor.redirect("/dashboard")
}

/// Where a person is at home.
///
/// # Errors
/// The database does not answer.
pub async fn home(person: Person) -> Result<HttpResponse, Problem> {
    if let Some(place) = person.home() {
        return Ok(person.redirect(&format!("{}/keys", place.base())));
    }
    let words = person.words;
    let user = person.who();
    let name = |name: &str| words.t(name);
    let facts = vec![
        Fact {
            name: name("waiting-you"),
            value: Value::Data(person.display_name()),
        },
        Fact {
            name: name("waiting-id"),
            value: Value::Copy {
                text: user.id.to_string(),
                label: words.t("copy"),
            },
        },
        Fact {
            name: name("waiting-subject"),
            value: Value::Code(user.subject.sub.to_string()),
        },
    ];
    let ask = match &person.dashboard.brand.support {
        Some(support) => Value::Html(words.mix("waiting-ask-support", [("support", support)])),
        None => Value::Words(words.t("waiting-ask")),
    };
    let page = Page::new(words.t("waiting"))
        .narrow()
        .block(Notice::new(Tone::Warn, words.t("waiting-text")))
        .block(Block::Paragraph(ask))
        .block(Block::Facts(facts));
    person.page(Place::Nowhere, Topic::None, page).await
}
