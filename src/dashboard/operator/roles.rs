//! Roles: permissions under one name, for people or for applications.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::operators_alone;
use crate::broker::{NewRole, RoleChange, ShownRole};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::form_parts::{Ticked, permissions, picker, ticked, ticked_of};
use crate::dashboard::keys::{name_words, scopes};
use crate::dashboard::language::{Text, Words};
use crate::dashboard::paging::{Address, ROWS, after, cut, search, sought};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Block, Choice, Column, Empty, Field, Form, Guide, Kind, Notice, Page, Part, Row, Table,
    Tone, Value,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::RoleId;
use crate::domain::role::RoleKind;
use crate::domain::text;
use crate::http::path::Id;
use crate::http::problem::Problem;

fn kind_words(words: Words, kind: RoleKind) -> Text {
    match kind {
        RoleKind::User => words.t("role-for-people"),
        RoleKind::MachineToMachine => words.t("role-for-applications"),
    }
}

/// All of them.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn list(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let mut found = person
        .broker
        .roles(
            person.caller(),
            (None, sought(&person.query)),
            after(&person.query),
            ROWS + 1,
        )
        .await?;
    let address = Address::new("/dashboard/roles", &person.query, &["q"]);
    let pager = cut(words, &mut found, &address, |shown| {
        (shown.role.created_at, shown.role.id.to_string())
    });
    let mut page = Page::new(words.t("roles")).lead(words.t("roles-lead"));
    if found.is_empty() && address.is_narrowed() {
        page = page
            .block(search(words, &address, &person.query))
            .block(Empty {
                text: words.t("nothing-fits"),
                action: None,
            });
        return person.page(Place::All, Topic::Roles, page).await;
    }
    if found.is_empty() {
        page = page.block(Empty {
            text: words.t("roles-none"),
            action: Some(Action {
                label: words.t("role-make"),
                href: "/dashboard/roles/new".to_owned(),
                tone: Tone::Accent,
            }),
        });
        return person.page(Place::All, Topic::Roles, page).await;
    }
    let row = |shown: &ShownRole| Row {
        cells: vec![
            Value::Link {
                href: format!("/dashboard/roles/{}", shown.role.id),
                text: shown.role.name.clone(),
            },
            Value::Words(kind_words(words, shown.role.kind)),
            scopes(words, &shown.permissions),
        ],
    };
    page = page
        .action(words.t("role-make"), "/dashboard/roles/new")
        .block(search(words, &address, &person.query))
        .block(Table {
            caption: words.t("roles"),
            columns: ["name", "role-for", "permissions"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(Place::All, Topic::Roles, page).await
}

/// Asks for one.
///
/// # Errors
/// Not an operator.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let page = new_form(&person, &Fields::default(), &Wrong::new()).await?;
    person.page(Place::All, Topic::Roles, page).await
}

async fn new_form(person: &Person, sent: &Fields, wrong: &Wrong) -> Result<Page, Problem> {
    let words = person.words;
    let chosen = sent.text("kind");
    let kinds = [RoleKind::User, RoleKind::MachineToMachine].map(|kind| {
        let word = kind.as_str();
        let first = chosen.is_empty() && kind == RoleKind::User;
        Choice::words(word, kind_words(words, kind), word == chosen || first)
    });
    let form = Form::new("/dashboard/roles/new", words.t("role-make"))
        .part(Field::text("kind", words.t("role-for")).kind(Kind::Radio(kinds.to_vec())));
    let form = fields(person, form, (sent, &ticked(sent)), wrong).await?;
    let mut page = Page::new(words.t("role-make"))
        .narrow()
        .crumb(words.t("roles"), "/dashboard/roles");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form.cancel(words.t("cancel"), "/dashboard/roles")))
}

async fn fields(
    person: &Person,
    form: Form,
    (sent, now): (&Fields, &Ticked),
    wrong: &Wrong,
) -> Result<Form, Problem> {
    let words = person.words;
    let everything = person.broker.everything_grantable(person.caller()).await?;
    let name = Field::text("name", words.t("name"))
        .value(sent.text("name"))
        .required()
        .error(wrong.of("name"));
    let description = Field::text("description", words.t("description"))
        .value(sent.text("description"))
        .error(wrong.of("description"));
    Ok(form
        .part(name)
        .part(description)
        .part(picker(words, &everything, now, wrong)))
}

/// What a form says of a role.
struct Read {
    name: Option<String>,
    description: Option<String>,
}

fn read(words: Words, sent: &Fields, wrong: &mut Wrong) -> Read {
    let name = match text::name(sent.text("name")) {
        Ok(name) => Some(name),
        Err(error) => {
            wrong.add("name", name_words(words, error));
            None
        }
    };
    let description = sent.given("description").map(text::description).transpose();
    if description.is_err() {
        wrong.add("description", words.t("wrong-long"));
    }
    Read {
        name,
        description: description.unwrap_or_default(),
    }
}

/// Makes one.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn make(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let words = person.words;
    let mut wrong = Wrong::new();
    let read = read(words, &fields, &mut wrong);
    if let (Some(name), true) = (read.name, wrong.is_empty()) {
        let new = NewRole {
            name,
            description: read.description,
            kind: fields.text("kind").parse().unwrap_or(RoleKind::User),
            permissions: permissions(&ticked(&fields)),
        };
        let made = person
            .broker
            .create_role(new, person.caller(), person.origin(), None)
            .await;
        match made {
            Ok(shown) => {
                let to = format!("/dashboard/roles/{}?made=1", shown.role.id);
                return Ok(person.redirect(&to));
            }
            Err(error) => wrong = of_form(words, error, &["name", "permissions"])?,
        }
    }
    let page = new_form(&person, &fields, &wrong).await?;
    let place = (Place::All, Topic::Roles);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// One of them.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<RoleId>) -> Result<HttpResponse, Problem> {
    let page = page(&person, id, None, &Wrong::new()).await?;
    person.page(Place::All, Topic::Roles, page).await
}

async fn page(
    person: &Person,
    id: RoleId,
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    operators_alone(person)?;
    let words = person.words;
    let shown = person.broker.role(id, person.caller()).await?;
    let here = format!("/dashboard/roles/{id}");
    let role = &shown.role;
    let form = Form::new(here.clone(), words.t("save")).hidden("version", role.version.to_string());
    let form = match sent {
        Some(sent) => fields(person, form, (sent, &ticked(sent)), wrong).await?,
        None => {
            let now = Fields::of([
                ("name", role.name.clone()),
                ("description", role.description.clone().unwrap_or_default()),
            ]);
            fields(person, form, (&now, &ticked_of(&shown.permissions)), wrong).await?
        }
    };
    let form = form.part(Part::Text(words.t("role-change-text").into()));
    let mut page = Page::new(words.t("role"))
        .heading(&role.name)
        .narrow()
        .lead(kind_words(words, role.kind))
        .crumb(words.t("roles"), "/dashboard/roles");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    if person.query.text("made") == "1" {
        page = page
            .block(Notice::news(Tone::Ok, words.t("role-made")))
            .block(Guide {
                steps: vec![
                    Value::Words(match role.kind {
                        RoleKind::User => words.t("guide-role-people"),
                        RoleKind::MachineToMachine => words.t("guide-role-applications"),
                    }),
                    Value::Words(words.t("guide-role-change")),
                ],
            });
    }
    Ok(page
        .block(form)
        .block(Block::Heading {
            text: words.t("danger"),
            id: "danger",
        })
        .block(Block::Actions(vec![Action {
            label: words.t("role-delete"),
            href: format!("{here}/delete"),
            tone: Tone::Danger,
        }])))
}

/// Changes one.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<RoleId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let words = person.words;
    let mut wrong = Wrong::new();
    let read = read(words, &fields, &mut wrong);
    if wrong.is_empty() {
        let change = RoleChange {
            name: read.name,
            description: Some(read.description),
            permissions: Some(permissions(&ticked(&fields))),
        };
        let version = fields.version();
        let changed = person
            .broker
            .update_role(id, change, person.caller(), person.origin(), |now| {
                now == version
            })
            .await;
        match changed {
            Ok(_) => {
                let to = format!("/dashboard/roles/{id}");
                return Ok(person.done(&to, Done::RoleChanged));
            }
            Err(error) => wrong = of_form(words, error, &["name", "permissions"])?,
        }
    }
    let page = page(&person, id, Some(&fields), &wrong).await?;
    let place = (Place::All, Topic::Roles);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// Asks whether one is to go.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_delete(person: Person, Id(id): Id<RoleId>) -> Result<HttpResponse, Problem> {
    let page = deleting(&person, id, &Wrong::new()).await?;
    person.page(Place::All, Topic::Roles, page).await
}

async fn deleting(person: &Person, id: RoleId, wrong: &Wrong) -> Result<Page, Problem> {
    operators_alone(person)?;
    let words = person.words;
    let shown = person.broker.role(id, person.caller()).await?;
    let here = format!("/dashboard/roles/{id}");
    let form = Form::new(format!("{here}/delete"), words.t("role-delete"))
        .part(Part::Sentences(vec![Value::Words(
            words.t("role-delete-text"),
        )]))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), here);
    let mut page = Page::new(words.t("role-delete"))
        .heading(&shown.role.name)
        .narrow()
        .crumb(words.t("roles"), "/dashboard/roles");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Removes it.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn delete(sent: PersonForm, Id(id): Id<RoleId>) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    let deleted = person
        .broker
        .delete_role(id, false, person.caller(), person.origin(), |_| true)
        .await;
    match deleted {
        Ok(()) => Ok(person.done("/dashboard/roles", Done::RoleDeleted)),
        Err(error) => {
            let wrong = of_form(person.words, error, &[])?;
            let page = deleting(&person, id, &wrong).await?;
            let place = (Place::All, Topic::Roles);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}
