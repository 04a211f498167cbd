//! A person's own account: name, sessions, and how he signs in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::cookies::CookieName;
use super::done::Done;
use super::errors::{Wrong, of_form};
use super::place::{Place, Topic};
use super::sign_in::set;
use super::view::{Block, Column, Fact, Field, Form, Page, Part, Row, Table, Tone, Value};
use super::visit::{Person, PersonForm};
use crate::domain::sign_in::SignInMethod;
use crate::http::problem::Problem;
use crate::store::sessions::Session;

/// Signs somebody out, here alone.
///
/// # Errors
/// The database does not answer.
pub async fn sign_out(form: PersonForm) -> Result<HttpResponse, Problem> {
    let person = form.person;
    person
        .broker
        .sign_out(&person.signed_in().session, &person.origin())
        .await?;
    let mut response = person.done("/dashboard/sign-in", Done::SignedOut);
    let forget = person.dashboard.cookies.forget(CookieName::Session);
    set(&mut response, &forget)?;
    Ok(response)
}

/// The account.
///
/// # Errors
/// The database does not answer.
pub async fn show(person: Person) -> Result<HttpResponse, Problem> {
    let page = overview(&person, &Wrong::new()).await?;
    person.page(Place::Nowhere, Topic::None, page).await
}

async fn overview(person: &Person, wrong: &Wrong) -> Result<Page, Problem> {
    let words = person.words;
    let user = person.who();
    let known = person.signed_in().person.as_ref();
    let login_name = known.and_then(|known| known.login_name.clone());
    let from = match &login_name {
        Some(name) => Value::Data(name.clone()),
        None => Value::Code(user.subject.iss.to_string()),
    };
    let facts = vec![
        Fact {
            name: words.t("account-signs-in"),
            value: from,
        },
        Fact {
            name: words.t("person-id"),
            value: Value::Copy {
                text: user.id.to_string(),
                label: words.t("copy"),
            },
        },
    ];
    let name = Field::text("name", words.t("your-name"))
        .value(user.name.clone().unwrap_or_default())
        .required()
        .autocomplete("name")
        .error(wrong.of("name"));
    let rename = Form::new("/dashboard/account/name", words.t("save")).part(name);
    let mut page = Page::new(words.t("account"))
        .narrow()
        .block(Block::Facts(facts))
        .block(rename);
    if login_name.is_some() {
        page = super::passkeys::section(person, page).await?;
    }
    let sessions = person.broker.sessions(user.id).await?;
    page = page.block(Block::Heading {
        text: words.t("sessions"),
        id: "sessions",
    });
    let several = sessions.len() > 1;
    page = page.block(session_table(person, &sessions));
    if several {
        let end = Form::new("/dashboard/account/sessions/end", words.t("sessions-end"))
            .part(Part::Text(words.t("sessions-end-text").into()))
            .tone(Tone::Danger);
        page = page.block(end);
    }
    Ok(page)
}

fn session_table(person: &Person, sessions: &[Session]) -> Table {
    let words = person.words;
    let times = person.times();
    let own = person.signed_in().session.id;
    let row = |session: &Session| {
        let method = match session.method {
            SignInMethod::Link => words.t("method-link"),
            SignInMethod::Password => words.t("method-password"),
            SignInMethod::Passkey => words.t("method-passkey"),
            SignInMethod::Provider => words.t("method-provider"),
        };
        let agent = session.agent.clone().unwrap_or_default();
        let this = (session.id == own).then(|| Value::Badge {
            tone: Tone::Ok,
            text: words.t("session-this"),
        });
        let mut first = vec![Value::Data(agent)];
        first.extend(this);
        Row {
            cells: vec![
                Value::Lines(first),
                Value::Html(times.tell(session.seen_at)),
                Value::Data(session.address.clone().unwrap_or_default()),
                Value::Words(method),
            ],
        }
    };
    Table {
        caption: words.t("sessions"),
        columns: [
            "session-browser",
            "session-seen",
            "address",
            "session-method",
        ]
        .map(|key| Column::new(words.t(key)))
        .to_vec(),
        rows: sessions.iter().map(row).collect(),
    }
}

/// Gives himself another name.
///
/// # Errors
/// The database does not answer.
pub async fn rename(form: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = form;
    let renamed = person
        .broker
        .rename_myself(person.who(), fields.text("name"), &person.origin())
        .await;
    match renamed {
        Ok(()) => Ok(person.done("/dashboard/account", Done::NameChanged)),
        Err(error) => {
            let wrong = of_form(person.words, error, &["name"])?;
            let page = overview(&person, &wrong).await?;
            let place = (Place::Nowhere, Topic::None);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}

/// Ends all other sessions.
///
/// # Errors
/// The database does not answer.
pub async fn end_sessions(form: PersonForm) -> Result<HttpResponse, Problem> {
    let person = form.person;
    let own = person.signed_in().session.id;
    person
        .broker
        .end_sessions(person.who().id, Some(own), &person.origin())
        .await?;
    Ok(person.done("/dashboard/account", Done::SessionsEnded))
}
