//! Signing keys and our own secrets: seen, replaced, dropped.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::operators_alone;
use crate::broker::{ListedSecret, PublishedSigningKey, SecretLeak};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::format::grouped;
use crate::dashboard::language::{Text, Words};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Block, Column, Fact, Form, Kind, Notice, Page, Part, Row, Table, Tone, Value,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::purpose::{SecretPurpose, SecretState};
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Both.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn show(person: Person) -> Result<HttpResponse, Problem> {
    let page = page(&person, &Wrong::new()).await?;
    person.page(Place::All, Topic::Security, page).await
}

async fn page(person: &Person, wrong: &Wrong) -> Result<Page, Problem> {
    operators_alone(person)?;
    let words = person.words;
    let (broker, caller) = (&person.broker, person.caller());
    let keys = broker.signing_keys(caller)?;
    let secrets = broker.listed_secrets(None, caller).await?;
    let base = &person.dashboard.base;
    let mut page = Page::new(words.t("security"));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    let facts = vec![Fact {
        name: words.t("jwks"),
        value: Value::Copy {
            text: format!("{base}/.well-known/jwks.json"),
            label: words.t("copy"),
        },
    }];
    let rotate = Form::new(
        "/dashboard/security/signing-keys/rotate",
        words.t("signing-rotate"),
    )
    .part(Part::Text(words.t("signing-rotate-text").into()))
    .tone(Tone::Plain);
    Ok(page
        .lead(words.t("security-lead"))
        .block(Block::Facts(facts))
        .block(key_table(person, &keys))
        .block(rotate)
        .block(Block::Heading {
            text: words.t("secrets"),
            id: "secrets",
        })
        .block(Block::Paragraph(words.t("secrets-lead").into()))
        .block(secret_table(person, &secrets)))
}

fn key_table(person: &Person, keys: &[PublishedSigningKey]) -> Table {
    let words = person.words;
    let times = person.times();
    let row = |key: &PublishedSigningKey| {
        let (tone, text) = match key.state {
            "active" => (Tone::Ok, words.t("signing-active")),
            "next" => (Tone::Plain, words.t("signing-next")),
            "retired" => (Tone::Warn, words.t("signing-retired")),
            _ => (Tone::Danger, words.t("signing-withdrawn")),
        };
        let act = if key.state == "withdrawn" {
            Value::Nothing(words.t("none"))
        } else {
            Value::Act {
                href: format!("/dashboard/security/signing-keys/{}/withdraw", key.kid),
                text: words.t("withdraw"),
                about: key.kid.clone(),
            }
        };
        Row {
            cells: vec![
                Value::Code(key.kid.clone()),
                Value::Code(key.algorithm.as_str().to_owned()),
                Value::Badge { tone, text },
                Value::Html(times.tell(key.created_at)),
                act,
            ],
        }
    };
    Table {
        caption: words.t("security"),
        columns: ["key-id", "signing-alg", "state", "since", "action"]
            .map(|key| Column::new(words.t(key)))
            .to_vec(),
        rows: keys.iter().map(row).collect(),
    }
}

fn purpose_words(words: Words, purpose: SecretPurpose) -> Text {
    match purpose {
        SecretPurpose::Tag => words.t("purpose-tag"),
        SecretPurpose::Digest => words.t("purpose-digest"),
        SecretPurpose::Provider => words.t("purpose-provider"),
        SecretPurpose::Sealing => words.t("purpose-sealing"),
        SecretPurpose::Cookies => words.t("purpose-cookies"),
        SecretPurpose::Audit => words.t("purpose-audit"),
    }
}

fn secret_table(person: &Person, secrets: &[ListedSecret]) -> Table {
    let words = person.words;
    let times = person.times();
    let row = |secret: &ListedSecret| {
        let (tone, text) = match secret.state {
            SecretState::Announced => (Tone::Plain, words.t("secret-announced")),
            SecretState::Current => (Tone::Ok, words.t("secret-current")),
            SecretState::Retired => (Tone::Warn, words.t("secret-retired")),
            SecretState::Leaked => (Tone::Danger, words.t("secret-leaked")),
        };
        let act = if secret.state == SecretState::Current {
            Value::Act {
                href: format!("/dashboard/security/secrets/{}/rotate", secret.purpose),
                text: words.t("secret-replace"),
                about: secret.purpose.to_string(),
            }
        } else {
            Value::Nothing(words.t("none"))
        };
        Row {
            cells: vec![
                Value::Lines(vec![
                    Value::Words(purpose_words(words, secret.purpose)),
                    Value::Code(format!("{} {}", secret.purpose, secret.generation)),
                ]),
                Value::Badge { tone, text },
                Value::Data(grouped(secret.needed_by)),
                Value::Html(times.tell(secret.changed_at)),
                act,
            ],
        }
    };
    Table {
        caption: words.t("secrets"),
        columns: vec![
            Column::new(words.t("secret-for")),
            Column::new(words.t("state")),
            Column::numeric(words.t("secret-needed")),
            Column::new(words.t("since")),
            Column::new(words.t("action")),
        ],
        rows: secrets.iter().map(row).collect(),
    }
}

/// Lets the next signing keys sign.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn rotate_signing(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    let rotated = person
        .broker
        .rotate_signing_keys(None, (person.caller(), person.origin()), None)
        .await;
    match rotated {
        Ok(_) => Ok(person.done("/dashboard/security", Done::SigningKeyRotated)),
        Err(error) => again(&person, error).await,
    }
}

async fn again(person: &Person, error: crate::broker::Error) -> Result<HttpResponse, Problem> {
    let wrong = of_form(person.words, error, &[])?;
    let page = page(person, &wrong).await?;
    let place = (Place::All, Topic::Security);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// Asks whether a signing key is to be withdrawn.
///
/// # Errors
/// Not an operator, or not there.
pub async fn ask_withdraw(person: Person, kid: web::Path<String>) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let keys = person.broker.signing_keys(person.caller())?;
    let key = keys.into_iter().find(|key| key.kid == *kid);
    let key = key.ok_or_else(Problem::not_found)?;
    let told = vec![
        Value::Words(words.t("withdraw-now")),
        Value::Words(words.t("withdraw-next")),
        Value::Words(words.t("withdraw-when")),
    ];
    let form = Form::new(
        format!("/dashboard/security/signing-keys/{}/withdraw", key.kid),
        words.t("withdraw"),
    )
    .part(Part::Sentences(told))
    .tone(Tone::Danger)
    .cancel(words.t("cancel"), "/dashboard/security");
    let page = Page::new(words.t("signing-withdraw"))
        .heading(key.kid)
        .narrow()
        .crumb(words.t("security"), "/dashboard/security")
        .block(form);
    person.page(Place::All, Topic::Security, page).await
}

/// Withdraws it.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn withdraw(sent: PersonForm, kid: web::Path<String>) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    person
        .broker
        .withdraw_signing_key(&kid, person.caller(), person.origin())
        .await?;
    Ok(person.done("/dashboard/security", Done::SigningKeyWithdrawn))
}

/// Asks whether a secret is to be replaced.
///
/// # Errors
/// Not an operator, or not there.
pub async fn ask_rotate_secret(
    person: Person,
    Id(purpose): Id<SecretPurpose>,
) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let here = format!("/dashboard/security/secrets/{purpose}");
    let told = vec![
        Value::Words(words.t("secret-replace-keys")),
        Value::Words(words.t("secret-replace-when")),
    ];
    let leaked = crate::dashboard::view::Field::text("leaked", words.t("secret-leaked-check"))
        .kind(Kind::Check(false))
        .help(words.t("secret-leaked-help"));
    let rotate = Form::new(format!("{here}/rotate"), words.t("secret-replace"))
        .part(Part::Sentences(told))
        .part(leaked)
        .cancel(words.t("cancel"), "/dashboard/security");
    let retire = Form::new(format!("{here}/retire"), words.t("secret-drop"))
        .part(Part::Text(words.t("secret-drop-text").into()))
        .tone(Tone::Danger);
    let page = Page::new(purpose_words(words, purpose))
        .narrow()
        .crumb(words.t("security"), "/dashboard/security")
        .block(rotate)
        .block(Block::Heading {
            text: words.t("secret-drop"),
            id: "drop",
        })
        .block(retire);
    person.page(Place::All, Topic::Security, page).await
}

/// Replaces it.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn rotate_secret(
    sent: PersonForm,
    Id(purpose): Id<SecretPurpose>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let leak = SecretLeak {
        leaked: fields.ticked("leaked"),
        generation: None,
    };
    let rotated = person
        .broker
        .rotate_secret(purpose, leak, (person.caller(), person.origin()), None)
        .await;
    match rotated {
        Ok(_) => Ok(person.done("/dashboard/security", Done::SecretRotated)),
        Err(error) => again(&person, error).await,
    }
}

/// Drops what nobody needs.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn retire_secret(
    sent: PersonForm,
    Id(purpose): Id<SecretPurpose>,
) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    let retired = person
        .broker
        .retire_secret(purpose, None, person.caller(), person.origin())
        .await;
    match retired {
        Ok(_) => Ok(person.done("/dashboard/security", Done::SecretRetired)),
        Err(error) => again(&person, error).await,
    }
}
