//! What an organization may use at all: seen by its admins, set by operators.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::done::Done;
use super::errors::{Wrong, of_form};
use super::form_parts::{permissions, picker, ticked, ticked_of};
use super::organization::overseen;
use super::place::{Place, Topic};
use super::view::{
    Block, Choice, Column, Empty, Field, Form, Kind, Notice, Page, Row, Table, Tone, Value,
};
use super::visit::{Person, PersonForm};
use crate::broker::ShownOrganization;
use crate::broker::overview::GrantableResource;
use crate::domain::id::OrganizationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// What it may use.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    let shown = overseen(&person, id).await?;
    let page = if person.is_operator() {
        form(&person, &shown, None, &Wrong::new()).await?
    } else {
        let usable = person.broker.grantable(person.caller(), id).await?;
        list(&person, &usable)
    };
    person
        .page(Place::Organization(id), Topic::Permissions, page)
        .await
}

fn list(person: &Person, usable: &[GrantableResource]) -> Page {
    let words = person.words;
    let mut page = Page::new(words.t("permissions")).lead(words.t("permissions-lead"));
    if usable.is_empty() {
        return page.block(Empty {
            text: words.t("permissions-none"),
            action: None,
        });
    }
    for resource in usable {
        let rows = resource
            .permissions
            .iter()
            .map(|permission| Row {
                cells: vec![
                    Value::Code(permission.scope.to_string()),
                    match &permission.description {
                        Some(text) => Value::Data(text.clone()),
                        None => Value::Nothing(words.t("none")),
                    },
                ],
            })
            .collect();
        page = page
            .block(Block::Paragraph(Value::Lines(vec![
                Value::Data(resource.title()),
                Value::Code(resource.identifier.to_string()),
            ])))
            .block(Table {
                caption: words.t("permissions"),
                columns: ["permission", "description"]
                    .map(|key| Column::new(words.t(key)))
                    .to_vec(),
                rows,
            });
    }
    page
}

async fn form(
    person: &Person,
    shown: &ShownOrganization,
    sent: Option<&super::fields::Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    let words = person.words;
    let id = shown.organization.id;
    let everything = person.broker.everything_grantable(person.caller()).await?;
    let (all, now) = match sent {
        Some(sent) => (sent.text("ceiling") == "all", ticked(sent)),
        None => (
            shown.permissions.is_none(),
            shown
                .permissions
                .as_ref()
                .map(ticked_of)
                .unwrap_or_default(),
        ),
    };
    let ceiling = Field::text("ceiling", words.t("ceiling")).kind(Kind::Radio(vec![
        Choice::words("all", words.t("ceiling-all"), all),
        Choice::words("these", words.t("ceiling-these"), !all),
    ]));
    let form = Form::new(
        format!("{}/permissions", Place::Organization(id).base()),
        words.t("save"),
    )
    .hidden("version", shown.organization.version.to_string())
    .part(ceiling)
    .part(picker(words, &everything, &now, wrong));
    let mut page = Page::new(words.t("permissions"))
        .narrow()
        .lead(words.t("ceiling-lead"));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Sets it.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let shown = overseen(&person, id).await?;
    let wanted = match fields.text("ceiling") {
        "all" => None,
        _ => Some(permissions(&ticked(&fields))),
    };
    let version = fields.version();
    let changed = person
        .broker
        .set_organization_permissions(id, wanted, person.caller(), person.origin(), |now| {
            now == version
        })
        .await;
    match changed {
        Ok(_) => {
            let to = format!("{}/permissions", Place::Organization(id).base());
            Ok(person.done(&to, Done::OrganizationChanged))
        }
        Err(error) => {
            let wrong = of_form(person.words, error, &["permissions"])?;
            let page = form(&person, &shown, Some(&fields), &wrong).await?;
            let place = (Place::Organization(id), Topic::Permissions);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}
