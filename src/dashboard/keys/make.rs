//! A key is made: name, permissions, limits, on one page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{name_again, read_name, shown_once};
use crate::broker::idempotency::{Attempt, Keep};
use crate::broker::keys::{IssuedKey, NewKey, OwnerName};
use crate::broker::{Conflict, Error};
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::form_parts::{LimitTexts, permissions, picker, ticked};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Action, Choice, Empty, Field, Form, Kind, Notice, Page, Tone};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::OrganizationId;
use crate::domain::metadata::Metadata;
use crate::http::path::Id;
use crate::http::problem::Problem;

const FIELDS: [&str; 6] = [
    "name",
    "permissions",
    "owner",
    "expires",
    "addresses",
    "rate",
];
/// How many members may be chosen from.
const MEMBERS: usize = 200;

/// Asks for a key.
///
/// # Errors
/// Not his organization, or the database does not answer.
pub async fn ask(person: Person, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    form(
        &person,
        id,
        (StatusCode::OK, &Fields::default(), &Wrong::new()),
    )
    .await
}

async fn form(
    person: &Person,
    id: OrganizationId,
    (status, sent, wrong): (StatusCode, &Fields, &Wrong),
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let place = Place::Organization(id);
    let grantable = person.broker.grantable(person.caller(), id).await?;
    let base = format!("{}/keys", place.base());
    let mut page = Page::new(words.t("make-key"))
        .narrow()
        .crumb(words.t("keys"), base.clone());
    if grantable.is_empty() {
        page = page.block(nothing_to_give(person));
        return person.page_with(status, (place, Topic::Keys), page).await;
    }
    // An operator may always give rights on kagiya itself, which is hardly what he came for.
    if person.is_operator() && grantable.iter().all(|resource| resource.reserved) {
        page = page.block(nothing_to_give(person));
    }
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    // Names this form, so that it makes one key however often it is sent.
    let attempt = match sent.given("attempt") {
        Some(attempt) if wrong.is_empty() => attempt.to_owned(),
        _ => BrowserSecret::generate(SecretKind::Attempt, &**person.broker.random())
            .expose()
            .to_owned(),
    };
    let name = Field::text("name", words.t("field-key-name"))
        .value(name_again(person, sent.text("name")))
        .help(words.t("field-key-name-help"))
        .required()
        .error(wrong.of("name"));
    let owner = owner_field(person, id, sent, wrong).await?;
    let texts = LimitTexts::sent(sent);
    let form = Form::new(format!("{base}/new"), words.t("make-key"))
        .hidden("attempt", attempt)
        .part(name)
        .part(picker(words, &grantable, &ticked(sent), wrong))
        .maybe(owner)
        .part(texts.group(words, wrong))
        .cancel(words.t("cancel"), base);
    let page = page.block(form);
    person.page_with(status, (place, Topic::Keys), page).await
}

fn nothing_to_give(person: &Person) -> Empty {
    let words = person.words;
    if person.is_operator() {
        return Empty {
            text: words.t("grant-nothing-operator"),
            action: Some(Action {
                label: words.t("resource-make"),
                href: "/dashboard/resources/new".to_owned(),
                tone: Tone::Accent,
            }),
        };
    }
    Empty {
        text: words.t("grant-nothing"),
        action: None,
    }
}

/// Whose the key is to be: a member owns what he makes, so only others are asked.
async fn owner_field(
    person: &Person,
    id: OrganizationId,
    sent: &Fields,
    wrong: &Wrong,
) -> Result<Option<Field>, Problem> {
    if !person.oversees(Place::Organization(id)) {
        return Ok(None);
    }
    let words = person.words;
    let chosen = sent.text("owner");
    let members = person
        .broker
        .members(id, person.caller(), None, None, MEMBERS)
        .await?;
    let mut choices = vec![Choice::words(
        "",
        words.t("owner-nobody"),
        chosen.is_empty(),
    )];
    choices.extend(members.into_iter().map(|(_, user)| {
        let label = user.name.unwrap_or_else(|| user.subject.sub.to_string());
        let id = user.id.to_string();
        let is_chosen = id == chosen;
        Choice::data(id, label, is_chosen)
    }));
    let field = Field::text("owner", words.t("owner"))
        .kind(Kind::Select(choices))
        .help(words.t("field-owner-help"))
        .error(wrong.of("owner"));
    Ok(Some(field))
}

/// Makes it.
///
/// # Errors
/// Not his organization, or the database does not answer.
pub async fn make(
    form_sent: PersonForm,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = form_sent;
    person.facts.organization(id);
    let words = person.words;
    let mut wrong = Wrong::new();
    let name = read_name(&person, fields.text("name"), &mut wrong);
    let wanted = ticked(&fields);
    if wanted.is_empty() {
        wrong.add("permissions", words.t("wrong-no-permission"));
    }
    let limits = LimitTexts::sent(&fields).read(words, None, &mut wrong);
    let (Some(name), true) = (name, wrong.is_empty()) else {
        let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
        return form(&person, id, again).await;
    };
    let new = NewKey {
        name,
        organization: id,
        owner: fields
            .given("owner")
            .and_then(|id| id.parse().ok())
            .map(OwnerName::Id),
        permissions: permissions(&wanted),
        default_resource: None,
        expires_at: limits.expires_at,
        metadata: Metadata::default(),
        allowed_cidrs: limits.allowed_cidrs,
        rate_limit: limits.rate_limit,
        provider: None,
        self_rotate: false,
        may_act: None,
    };
    let mut attempt = Attempt::new(
        &person.caller().actor,
        "page: make a key",
        fields.raw("attempt"),
        &fields.bytes(),
    )
    .of(person.caller().clone());
    let answer = match person.broker.begin(&mut attempt).await {
        Ok(Some(answer)) => answer,
        Ok(None) => match create(&person, new, &attempt).await {
            Ok(issued) => shown_once::kept(&issued),
            Err(error) => {
                person.broker.abandon(&attempt).await;
                let wrong = of_form(words, error, &FIELDS)?;
                let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
                return form(&person, id, again).await;
            }
        },
        Err(Error::Conflict(Conflict::IdempotencyAnswerGone)) => {
            return shown_once::gone(&person, Place::Organization(id)).await;
        }
        Err(Error::Conflict(Conflict::IdempotencyKeyReused)) => {
            let wrong = Wrong::one("", words.t("wrong-sent-already"));
            let again = (StatusCode::UNPROCESSABLE_ENTITY, &fields, &wrong);
            return form(&person, id, again).await;
        }
        Err(error) => return Err(error.into()),
    };
    shown_once::show(&person, &answer, &attempt).await
}

async fn create(person: &Person, new: NewKey, attempt: &Attempt) -> Result<IssuedKey, Error> {
    let keep = Keep {
        attempt,
        render: &shown_once::kept,
    };
    person
        .broker
        .create_key(new, person.caller(), person.origin(), Some(keep))
        .await
}
