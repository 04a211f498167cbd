//! A rule's own page: changed, and removed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::questions::{Ends, ends_facts, mode, questions, scopes};
use super::{FIELDS, LIST};
use crate::broker::{ExchangeRuleChange, ShownExchangeRule};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::markup::Markup;
use crate::dashboard::operator::operators_alone;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Action, Block, Form, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::ExchangeRuleId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// One of them.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<ExchangeRuleId>) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let shown = person.broker.exchange_rule(id, person.caller()).await?;
    let page = page(&person, &shown, None, &Wrong::new()).await?;
    person.page(Place::All, Topic::ExchangeRules, page).await
}

/// A rule as its form would have sent it.
fn as_sent(shown: &ShownExchangeRule) -> Fields {
    let mut fields = Fields::default();
    for scope in shown.rule.requires_scope.iter() {
        fields.add("requires_scope", scope.as_str());
    }
    for scope in shown.scopes.iter() {
        fields.add("scopes", scope.as_str());
    }
    let ticked = [
        ("delegation", shown.rule.mode.delegation),
        ("impersonation", shown.rule.mode.impersonation),
        ("subject_must_hold", shown.rule.subject_must_hold),
    ];
    for (name, _) in ticked.into_iter().filter(|(_, ticked)| *ticked) {
        fields.add(name, "1");
    }
    fields
}

async fn page(
    person: &Person,
    shown: &ShownExchangeRule,
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    let words = person.words;
    let rule = &shown.rule;
    let ends = Ends::of(person, rule.subject_resource, rule.target_resource).await?;
    let application = person
        .broker
        .application(rule.application, person.caller())
        .await?
        .application;
    let here = format!("{LIST}/{}", rule.id);
    let form = Form::new(here.clone(), words.t("save")).hidden("version", rule.version.to_string());
    let now = as_sent(shown);
    let form = questions(words, form, &ends, sent.unwrap_or(&now), wrong)
        .part(Part::Text(words.t("rule-change-text").into()));
    let mut page = Page::new(words.t("exchange-rule"))
        .heading(&application.name)
        .narrow()
        .lead(words.t("exchange-rule"))
        .crumb(words.t("exchange-rules"), LIST);
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page
        .block(ends_facts(
            words,
            (rule.application, &application.name),
            &ends,
        ))
        .block(form)
        .block(Block::Heading {
            text: words.t("danger"),
            id: "danger",
        })
        .block(Block::Actions(vec![Action {
            label: words.t("rule-delete"),
            href: format!("{here}/delete"),
            tone: Tone::Danger,
        }])))
}

/// Changes one.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<ExchangeRuleId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let mode = mode(&fields);
    let change = ExchangeRuleChange {
        requires_scope: Some(scopes(&fields, "requires_scope")),
        scopes: Some(scopes(&fields, "scopes")),
        delegation: Some(mode.delegation),
        impersonation: Some(mode.impersonation),
        subject_must_hold: Some(fields.ticked("subject_must_hold")),
    };
    let version = fields.version();
    let changed = person
        .broker
        .update_exchange_rule(id, change, person.caller(), person.origin(), |now| {
            now == version
        })
        .await;
    match changed {
        Ok(_) => Ok(person.done(&format!("{LIST}/{id}"), Done::ExchangeRuleChanged)),
        Err(error) => {
            let wrong = of_form(person.words, error, &FIELDS)?;
            let shown = person.broker.exchange_rule(id, person.caller()).await?;
            let page = page(&person, &shown, Some(&fields), &wrong).await?;
            let place = (Place::All, Topic::ExchangeRules);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}

/// Asks whether one is to go.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_delete(
    person: Person,
    Id(id): Id<ExchangeRuleId>,
) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let shown = person.broker.exchange_rule(id, person.caller()).await?;
    let here = format!("{LIST}/{id}");
    let which = words.mix(
        "rule-delete-which",
        [
            ("from", &Markup::code(shown.subject_resource.to_string())),
            ("to", &Markup::code(shown.target_resource.to_string())),
        ],
    );
    let told = vec![
        Value::Html(which),
        Value::Words(words.t("rule-delete-now")),
        Value::Words(words.t("rule-delete-tokens")),
    ];
    let form = Form::new(format!("{here}/delete"), words.t("delete"))
        .part(Part::Sentences(told))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), here);
    let page = Page::new(words.t("rule-delete"))
        .narrow()
        .crumb(words.t("exchange-rules"), LIST)
        .block(form);
    person.page(Place::All, Topic::ExchangeRules, page).await
}

/// Removes it.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn delete(sent: PersonForm, Id(id): Id<ExchangeRuleId>) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    person
        .broker
        .delete_exchange_rule(id, person.caller(), person.origin(), |_| true)
        .await?;
    Ok(person.done(LIST, Done::ExchangeRuleDeleted))
}
