//! A person chooses another password.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::done::Done;
use super::errors::Wrong;
use super::place::{Place, Topic};
use super::sign_in::wrong_of;
use super::view::{Field, Form, Kind, Notice, Page, Part, Tone};
use super::visit::{Person, PersonForm};
use crate::http::problem::Problem;

/// Asks for another password.
///
/// # Errors
/// He has none here.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    let page = password_page(&person, &Wrong::new())?;
    person.page(Place::Nowhere, Topic::None, page).await
}

fn password_page(person: &Person, wrong: &Wrong) -> Result<Page, Problem> {
    let words = person.words;
    let known = person.signed_in().person.as_ref();
    if known.is_none_or(|known| known.login_name.is_none()) {
        return Err(Problem::not_found());
    }
    let present = Field::text("present", words.t("password-present"))
        .kind(Kind::Password)
        .required()
        .autocomplete("current-password")
        .error(wrong.of("present"));
    let new = Field::text("password", words.t("password-new"))
        .kind(Kind::Password)
        .help(words.t("password-help"))
        .required()
        .autocomplete("new-password")
        .error(wrong.of("password"));
    let form = Form::new("/dashboard/account/password", words.t("password-change"))
        .part(Part::Text(words.t("password-change-text").into()))
        .part(present)
        .part(new)
        .cancel(words.t("cancel"), "/dashboard/account");
    let mut page = Page::new(words.t("password-change"))
        .narrow()
        .crumb(words.t("account"), "/dashboard/account");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Takes another password.
///
/// # Errors
/// The database does not answer.
pub async fn change(form: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = form;
    let (present, new) = (fields.secret("present"), fields.secret("password"));
    let changed = person
        .broker
        .change_password(
            person.who(),
            (&present, &new),
            person.signed_in().session.id,
            &person.origin(),
        )
        .await;
    match changed {
        Ok(()) => Ok(person.done("/dashboard/account", Done::PasswordChanged)),
        Err(failure) => {
            let wrong = wrong_of(person.words, failure, &["present", "password"])?;
            let page = password_page(&person, &wrong)?;
            let place = (Place::Nowhere, Topic::None);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}
