//! Organizations: listed, made, removed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::operators_alone;
use crate::broker::{NewOrganization, ShownOrganization};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::format::grouped;
use crate::dashboard::keys::name_words;
use crate::dashboard::markup::Markup;
use crate::dashboard::organization::{overseen, read_slug};
use crate::dashboard::paging::{Address, ROWS, after, cut, search, sought};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Column, Empty, Field, Form, Notice, Page, Part, Row, Table, Tone, Value,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::OrganizationId;
use crate::domain::metadata::Metadata;
use crate::domain::organization::OwnerGone;
use crate::domain::text;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// All of them.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn list(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let mut found = person
        .broker
        .organizations(
            person.caller(),
            sought(&person.query),
            after(&person.query),
            ROWS + 1,
        )
        .await?;
    let address = Address::new("/dashboard/organizations", &person.query, &["q"]);
    let pager = cut(words, &mut found, &address, |shown| {
        let organization = &shown.organization;
        (organization.created_at, organization.id.to_string())
    });
    let make = || Action {
        label: words.t("organization-make"),
        href: "/dashboard/organizations/new".to_owned(),
        tone: Tone::Accent,
    };
    let mut page = Page::new(words.t("organizations"));
    if found.is_empty() && address.is_narrowed() {
        page = page
            .block(search(words, &address, &person.query))
            .block(Empty {
                text: words.t("nothing-fits"),
                action: None,
            });
        return person.page(Place::All, Topic::Organizations, page).await;
    }
    if found.is_empty() {
        page = page.block(Empty {
            text: words.t("organizations-none"),
            action: Some(make()),
        });
        return person.page(Place::All, Topic::Organizations, page).await;
    }
    let times = person.times();
    let row = |shown: &ShownOrganization| {
        let organization = &shown.organization;
        let base = Place::Organization(organization.id).base();
        let mut name = vec![Value::Link {
            href: format!("{base}/keys"),
            text: organization.name.clone(),
        }];
        let slug = organization.slug.as_ref().map(ToString::to_string);
        name.extend(slug.map(Value::Code));
        Row {
            cells: vec![
                Value::Lines(name),
                match &shown.permissions {
                    None => Value::Words(words.t("ceiling-everything")),
                    Some(permissions) => crate::dashboard::keys::scopes(words, permissions),
                },
                match organization.max_keys {
                    None => Value::Words(words.t("rate-none")),
                    Some(most) => Value::Data(grouped(most.into())),
                },
                match organization.disabled_at {
                    None => Value::Badge {
                        tone: Tone::Ok,
                        text: words.t("state-active"),
                    },
                    Some(_) => Value::Badge {
                        tone: Tone::Warn,
                        text: words.t("state-disabled"),
                    },
                },
                Value::Html(times.tell(organization.created_at)),
            ],
        }
    };
    let make = make();
    page = page
        .action(make.label, make.href)
        .block(search(words, &address, &person.query))
        .block(Table {
            caption: words.t("organizations"),
            columns: ["name", "permissions", "max-keys", "state", "made"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(Place::All, Topic::Organizations, page).await
}

/// Asks for one.
///
/// # Errors
/// Not an operator.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let page = form(&person, &Fields::default(), &Wrong::new());
    person.page(Place::All, Topic::Organizations, page).await
}

fn form(person: &Person, sent: &Fields, wrong: &Wrong) -> Page {
    let words = person.words;
    let name = Field::text("name", words.t("name"))
        .value(sent.text("name"))
        .required()
        .error(wrong.of("name"));
    let slug = Field::text("slug", words.t("slug"))
        .value(sent.text("slug"))
        .help(words.t("slug-help"))
        .error(wrong.of("slug"));
    let form = Form::new("/dashboard/organizations/new", words.t("organization-make"))
        .part(name)
        .part(slug)
        .cancel(words.t("cancel"), "/dashboard/organizations");
    let mut page = Page::new(words.t("organization-make"))
        .narrow()
        .lead(words.t("organization-lead"))
        .crumb(words.t("organizations"), "/dashboard/organizations");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page.block(form)
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
    let name = text::name(fields.text("name"));
    if let Err(error) = &name {
        wrong.add("name", name_words(words, *error));
    }
    let slug = read_slug(words, &fields, &mut wrong);
    if let (Ok(name), true) = (name, wrong.is_empty()) {
        let new = NewOrganization {
            name,
            slug,
            metadata: Metadata::default(),
            permissions: None,
            max_keys: None,
            owner_gone: OwnerGone::default(),
        };
        let made = person
            .broker
            .create_organization(new, person.caller(), person.origin(), None)
            .await;
        match made {
            Ok(shown) => {
                let base = Place::Organization(shown.organization.id).base();
                return Ok(person.done(&format!("{base}/members"), Done::OrganizationMade));
            }
            Err(error) => wrong = of_form(words, error, &["name", "slug"])?,
        }
    }
    let page = form(&person, &fields, &wrong);
    let place = (Place::All, Topic::Organizations);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// Asks whether one is to go.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_delete(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let shown = overseen(&person, id).await?;
    let page = deleting(&person, &shown, &Wrong::new());
    person
        .page(Place::Organization(id), Topic::Settings, page)
        .await
}

fn deleting(person: &Person, shown: &ShownOrganization, wrong: &Wrong) -> Page {
    let words = person.words;
    let organization = &shown.organization;
    let base = Place::Organization(organization.id).base();
    let told = vec![
        Value::Words(words.t("organization-delete-empty")),
        Value::Words(words.t("organization-delete-records")),
    ];
    let name = Markup::strong(&organization.name);
    let typed = Field::text("name", words.t("revoke-type"))
        .required()
        .error(wrong.of("name"));
    let form = Form::new(format!("{base}/delete"), words.t("organization-delete"))
        .hidden("version", organization.version.to_string())
        .part(Part::Sentences(told))
        .part(Part::Text(
            words.mix("revoke-name", [("name", &name)]).into(),
        ))
        .part(typed)
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), format!("{base}/settings"));
    let mut page = Page::new(words.t("organization-delete"))
        .heading(&organization.name)
        .narrow();
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page.block(form)
}

/// Removes it.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn delete(sent: PersonForm, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let shown = overseen(&person, id).await?;
    let wrong = if fields.text("name") == shown.organization.name.trim() {
        let version = fields.version();
        let deleted = person
            .broker
            .delete_organization(id, person.caller(), person.origin(), |now| now == version)
            .await;
        match deleted {
            Ok(()) => {
                return Ok(person.done("/dashboard/organizations", Done::OrganizationDeleted));
            }
            Err(error) => of_form(person.words, error, &["name"])?,
        }
    } else {
        Wrong::one("name", person.words.t("wrong-typed-name"))
    };
    let page = deleting(&person, &shown, &wrong);
    let place = (Place::Organization(id), Topic::Settings);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}
