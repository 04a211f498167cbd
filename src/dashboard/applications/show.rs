//! An application's own page: what its program needs, what it may do, its secrets, and what can be done about it.

use actix_web::HttpResponse;

use super::use_it::{facts, lines, signing_guide};
use super::{machine_roles, path, seen};
use crate::broker::ShownApplication;
use crate::dashboard::form_parts::ticked_of;
use crate::dashboard::keys::scopes;
use crate::dashboard::place::Topic;
use crate::dashboard::view::{
    Action, Block, Column, Empty, Form, Notice, Page, Row, Table, Tone, Value,
};
use crate::dashboard::visit::Person;
use crate::domain::application::{MAX_SECRETS, StoredSecret};
use crate::domain::id::ApplicationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// One of them.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let application = &shown.application;
    let mut page = Page::new(words.t("application"))
        .heading(&application.name)
        .narrow()
        .crumb(
            words.t("applications"),
            format!("{}/applications", place.base()),
        );
    if person.query.text("made") == "1" {
        page = page.block(Notice::news(Tone::Ok, words.t("application-made")));
    }
    if let Some(at) = application.disabled_at {
        let told = words.mix("application-disabled", [("when", &person.times().tell(at))]);
        page = page.block(Notice::new(Tone::Warn, told));
    }
    if let Some(text) = &application.description {
        page = page.block(Block::Paragraph(Value::Data(text.clone())));
    }
    page = page
        .block(Block::Facts(facts(&person, &shown)))
        .block(Block::Heading {
            text: words.t("picker"),
            id: "roles",
        });
    page = what_it_may_do(&person, page, &shown).await?;
    page = if application.uses_secrets() {
        let secrets = person
            .broker
            .application_secrets(id, person.caller(), None, MAX_SECRETS * 2)
            .await?;
        secrets_part(&person, page, id, &secrets)
    } else {
        page.block(Block::Heading {
            text: words.t("key-use"),
            id: "use",
        })
        .block(signing_guide(&person, id))
    };
    if let Some(lines) = lines(&person, &shown) {
        page = page
            .block(Block::Heading {
                text: words.t("key-use"),
                id: "use",
            })
            .block(Block::Paragraph(Value::Words(words.t("client-use-token"))))
            .block(lines);
    }
    let page = page.block(Block::Heading {
        text: words.t("danger"),
        id: "danger",
    });
    let page = actions(&person, page, &shown);
    person.page(place, Topic::Applications, page).await
}

async fn what_it_may_do(
    person: &Person,
    page: Page,
    shown: &ShownApplication,
) -> Result<Page, Problem> {
    let words = person.words;
    let application = &shown.application;
    let edit = |label, tone| Action {
        label,
        href: path(&application.id, "/roles"),
        tone,
    };
    if application.roles.is_empty() {
        return Ok(page.block(Empty {
            text: words.t("application-may-nothing"),
            action: Some(edit(words.t("application-roles-edit"), Tone::Accent)),
        }));
    }
    let known = machine_roles(person).await?;
    let row = |id: &crate::domain::id::RoleId| {
        let found = known.iter().find(|role| role.role.id == *id);
        let name = found.map_or_else(|| id.to_string(), |role| role.role.name.clone());
        Row {
            cells: vec![
                if person.is_operator() {
                    Value::Link {
                        href: format!("/dashboard/roles/{id}"),
                        text: name,
                    }
                } else {
                    Value::Data(name)
                },
                match found {
                    Some(role) => scopes(words, &role.permissions),
                    None => Value::Nothing(words.t("unknown")),
                },
            ],
        }
    };
    let now = ticked_of(&shown.permissions).len();
    Ok(page
        .block(Table {
            caption: words.t("roles"),
            columns: ["role", "permissions"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: application.roles.iter().map(row).collect(),
        })
        .block(Block::Paragraph(Value::Words(words.one(
            "application-may-now",
            "count",
            i64::try_from(now).unwrap_or(i64::MAX),
        ))))
        .block(Block::Actions(vec![edit(
            words.t("application-roles-edit"),
            Tone::Plain,
        )])))
}

fn secrets_part(person: &Person, page: Page, id: ApplicationId, secrets: &[StoredSecret]) -> Page {
    let words = person.words;
    let times = person.times();
    let now = person.broker.now();
    let page = page.block(Block::Heading {
        text: words.t("client-secrets"),
        id: "secrets",
    });
    let add = |tone| Action {
        label: words.t("client-secret-add"),
        href: path(&id, "/secrets/new"),
        tone,
    };
    if secrets.is_empty() {
        return page.block(Empty {
            text: words.t("client-secrets-none"),
            action: Some(add(Tone::Accent)),
        });
    }
    let row = |secret: &StoredSecret| {
        let hint = format!("…{}", secret.hint);
        let end = match secret.expires_at {
            None => Value::Words(words.t("never-expires")),
            Some(end) if end <= now => Value::Badge {
                tone: Tone::Danger,
                text: words.t("state-expired"),
            },
            Some(end) => Value::Html(times.tell(end)),
        };
        Row {
            cells: vec![
                Value::Code(hint.clone()),
                Value::Html(times.tell(secret.created_at)),
                end,
                Value::Act {
                    href: path(&id, &format!("/secrets/{}/remove", secret.id)),
                    text: words.t("remove"),
                    about: hint,
                },
            ],
        }
    };
    page.block(Table {
        caption: words.t("client-secrets"),
        columns: ["hint", "made", "expires", "action"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows: secrets.iter().map(row).collect(),
    })
    .block(Block::Actions(vec![add(Tone::Plain)]))
}

fn actions(person: &Person, page: Page, shown: &ShownApplication) -> Page {
    let words = person.words;
    let application = &shown.application;
    let id = &application.id;
    let action = |label, below: &str, tone| Action {
        label,
        href: path(id, below),
        tone,
    };
    let mut all = vec![action(words.t("edit"), "/edit", Tone::Plain)];
    if person.is_operator() {
        all.push(Action {
            label: words.t("exchange-rules"),
            href: format!("/dashboard/exchange-rules?application={id}"),
            tone: Tone::Plain,
        });
    }
    let delete = action(words.t("application-delete"), "/delete", Tone::Danger);
    if application.disabled_at.is_some() {
        let form = Form::new(path(id, "/enable"), words.t("enable"))
            .tone(Tone::Plain)
            .inline();
        all.push(delete);
        return page.block(form).block(Block::Actions(all));
    }
    all.push(action(words.t("disable"), "/disable", Tone::Danger));
    all.push(delete);
    page.block(Block::Actions(all))
}
