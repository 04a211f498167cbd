//! An application is made. Its first secret is shown in the answer, this once.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::fields::{NAMES, read, rest, who};
use super::{ROLES, machine_roles, shown_once};
use crate::broker::idempotency::{Attempt, Keep};
use crate::broker::{Conflict, Error, NewApplication};
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::language::Words;
use crate::dashboard::markup::Markup;
use crate::dashboard::operator::operators_alone;
use crate::dashboard::organization::overseen;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Choice, Field, Form, Kind, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::OrganizationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks for one of the deployment's own.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn ask_in_deployment(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let first = (StatusCode::OK, &Fields::default(), &Wrong::new());
    form(&person, Place::All, first).await
}

/// Asks for one of an organization.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask(person: Person, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    overseen(&person, id).await?;
    let first = (StatusCode::OK, &Fields::default(), &Wrong::new());
    form(&person, Place::Organization(id), first).await
}

/// Makes one of the deployment's own.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn make_in_deployment(sent: PersonForm) -> Result<HttpResponse, Problem> {
    operators_alone(&sent.person)?;
    make_in(sent, Place::All).await
}

/// Makes one of an organization.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn make(sent: PersonForm, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    overseen(&sent.person, id).await?;
    make_in(sent, Place::Organization(id)).await
}

/// Roles for applications, to be ticked; none where there are none.
pub(super) async fn roles_field(
    person: &Person,
    chosen: &[&str],
    wrong: &Wrong,
) -> Result<Option<Field>, Problem> {
    let words = person.words;
    let choices: Vec<Choice> = machine_roles(person)
        .await?
        .into_iter()
        .map(|shown| {
            let id = shown.role.id.to_string();
            let is_chosen = chosen.contains(&id.as_str());
            Choice::data(id, shown.role.name, is_chosen).help(shown.role.description)
        })
        .collect();
    Ok((!choices.is_empty()).then(|| {
        Field::text("roles", words.t("roles"))
            .kind(Kind::Boxes(choices))
            .help(words.t("application-roles-help"))
            .error(wrong.of("roles"))
    }))
}

/// What stands in place of the roles where there are none.
pub(super) fn no_roles(person: &Person) -> Part {
    let words = person.words;
    Part::Text(if person.is_operator() {
        Value::Html(words.mix(
            "application-no-roles",
            [(
                "link",
                &Markup::link("/dashboard/roles/new", words.t("role-make").as_str()),
            )],
        ))
    } else {
        Value::Words(words.t("application-no-roles-ask"))
    })
}

async fn form(
    person: &Person,
    place: Place,
    (status, sent, wrong): (StatusCode, &Fields, &Wrong),
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let list = format!("{}/applications", place.base());
    let attempt = BrowserSecret::generate(SecretKind::Attempt, &**person.broker.random());
    let form = Form::new(format!("{list}/new"), words.t("application-make"))
        .hidden("attempt", attempt.expose());
    let form = who(words, form, sent, wrong);
    let chosen: Vec<&str> = sent.all("roles").collect();
    let form = match roles_field(person, &chosen, wrong).await? {
        Some(roles) => form.part(roles),
        None => form.part(no_roles(person)),
    };
    let form = rest(person, form, (sent, true), wrong).await?;
    let mut page = Page::new(words.t("application-make"))
        .narrow()
        .crumb(words.t("applications"), list.clone());
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    let page = page.block(form.cancel(words.t("cancel"), list));
    person
        .page_with(status, (place, Topic::Applications), page)
        .await
}

async fn make_in(sent: PersonForm, place: Place) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words: Words = person.words;
    let mut wrong = Wrong::new();
    let read = read(words, &fields, &mut wrong);
    let (Some(name), true) = (read.name, wrong.is_empty()) else {
        let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
        return form(&person, place, again).await;
    };
    let new = NewApplication {
        name,
        description: read.description,
        organization: place.organization(),
        roles: fields
            .all("roles")
            .filter_map(|id| id.parse().ok())
            .take(ROLES)
            .collect(),
        resources: read.resources,
        default_resource: read.default_resource,
        auth_method: read.auth_method,
        jwks: read.jwks,
        legacy_assertion_audience: read.legacy_assertion_audience,
        allowed_cidrs: read.allowed_cidrs,
        may_act: read.may_act,
    };
    let caller = person.caller();
    let mut attempt = Attempt::new(
        &caller.actor,
        "page: make an application",
        fields.raw("attempt"),
        &fields.bytes(),
    )
    .of(caller.clone());
    let answer = match person.broker.begin(&mut attempt).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let keep = Keep {
                attempt: &attempt,
                render: &shown_once::made,
            };
            let made = person
                .broker
                .create_application(new, caller, person.origin(), Some(keep))
                .await;
            match made {
                Ok(made) => shown_once::made(&made),
                Err(error) => {
                    person.broker.abandon(&attempt).await;
                    let wrong = of_form(words, error, &NAMES)?;
                    let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
                    return form(&person, place, again).await;
                }
            }
        }
        Err(Error::Conflict(Conflict::IdempotencyAnswerGone)) => {
            return shown_once::gone(&person, place).await;
        }
        Err(Error::Conflict(Conflict::IdempotencyKeyReused)) => {
            let wrong = Wrong::one("", words.t("wrong-sent-already"));
            let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
            return form(&person, place, again).await;
        }
        Err(error) => return Err(error.into()),
    };
    shown_once::show(&person, &answer, &attempt).await
}
