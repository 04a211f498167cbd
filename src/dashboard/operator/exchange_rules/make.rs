//! A rule is made, in two steps: who and from where to where, and then what, since the permissions to be ticked are those of the two
//! resources.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::questions::{Ends, ends_facts, mode, questions, scopes};
use super::{CHOICES, FIELDS, LIST, NEW};
use crate::broker::{NewExchangeRule, ResourceName};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::operator::operators_alone;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Choice, Empty, Field, Filter, Form, Kind, Notice, Page, Tone,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::{ApplicationId, ResourceId};
use crate::http::problem::Problem;

/// Asks for one: first who, from where and to where.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let query = &person.query;
    let page = match chosen(query) {
        Some((application, source, target)) => {
            let ends = Ends::of(&person, source, target).await?;
            let mut first = Fields::default();
            for name in ["delegation", "subject_must_hold"] {
                first.add(name, "1");
            }
            what(&person, application, &ends, (&first, &Wrong::new())).await?
        }
        None => who(&person).await?,
    };
    person.page(Place::All, Topic::ExchangeRules, page).await
}

fn chosen(fields: &Fields) -> Option<(ApplicationId, ResourceId, ResourceId)> {
    let application = fields.text("application_id").parse().ok()?;
    let source = fields.text("subject_resource").parse().ok()?;
    let target = fields.text("target_resource").parse().ok()?;
    Some((application, source, target))
}

fn start(person: &Person, wrong: &Wrong) -> Page {
    let words = person.words;
    let mut page = Page::new(words.t("rule-make"))
        .narrow()
        .crumb(words.t("exchange-rules"), LIST);
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page
}

async fn who(person: &Person) -> Result<Page, Problem> {
    let words = person.words;
    let (broker, caller) = (&person.broker, person.caller());
    let applications = broker
        .applications(caller, (None, None), None, CHOICES)
        .await?;
    let resources = broker.resources(caller, None, None, CHOICES).await?;
    let page = start(person, &Wrong::new());
    if applications.is_empty() {
        return Ok(page.block(Empty {
            text: words.t("rule-no-application"),
            action: Some(Action {
                label: words.t("application-make"),
                href: "/dashboard/all/applications/new".to_owned(),
                tone: Tone::Accent,
            }),
        }));
    }
    let given = |name: &str| person.query.text(name).to_owned();
    let application = given("application_id");
    let applications = applications
        .into_iter()
        .map(|shown| {
            let id = shown.application.id.to_string();
            let is_chosen = id == application;
            Choice::data(id, shown.application.name, is_chosen)
        })
        .collect();
    let of = |name: &str| -> Vec<Choice> {
        let now = given(name);
        resources
            .iter()
            .map(|resource| {
                let id = resource.id.to_string();
                let identifier = resource.identifier.to_string();
                let title = match &resource.name {
                    Some(name) => format!("{name} ({identifier})"),
                    None => identifier,
                };
                let is_chosen = id == now;
                Choice::data(id, title, is_chosen)
            })
            .collect()
    };
    let form = Filter {
        action: NEW.to_owned(),
        fields: vec![
            Field::text("application_id", words.t("application")).kind(Kind::Select(applications)),
            Field::text("subject_resource", words.t("rule-from"))
                .kind(Kind::Select(of("subject_resource")))
                .help(words.t("rule-from-help")),
            Field::text("target_resource", words.t("rule-to"))
                .kind(Kind::Select(of("target_resource")))
                .help(words.t("rule-to-help")),
        ],
        submit: words.t("go-on"),
        clear: Some((words.t("cancel"), LIST.to_owned())),
    };
    Ok(page.block(form))
}

async fn what(
    person: &Person,
    application: ApplicationId,
    ends: &Ends,
    (sent, wrong): (&Fields, &Wrong),
) -> Result<Page, Problem> {
    let words = person.words;
    let shown = person
        .broker
        .application(application, person.caller())
        .await?;
    let form = Form::new(NEW, words.t("rule-make"))
        .hidden("application_id", application.to_string())
        .hidden("subject_resource", ends.source.0.id.to_string())
        .hidden("target_resource", ends.target.0.id.to_string());
    let form = questions(words, form, ends, sent, wrong).cancel(words.t("cancel"), LIST);
    let name = (application, shown.application.name.as_str());
    Ok(start(person, wrong)
        .block(ends_facts(words, name, ends))
        .block(form))
}

/// Makes one.
///
/// # Errors
/// Not an operator, what it refers to is not there, or the database does not answer.
pub async fn make(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let (application, source, target) = chosen(&fields).ok_or_else(Problem::not_found)?;
    let ends = Ends::of(&person, source, target).await?;
    let new = NewExchangeRule {
        application,
        subject_resource: ResourceName::Id(source),
        requires_scope: scopes(&fields, "requires_scope"),
        target_resource: ResourceName::Id(target),
        scopes: scopes(&fields, "scopes"),
        mode: mode(&fields),
        subject_must_hold: fields.ticked("subject_must_hold"),
    };
    let made = person
        .broker
        .create_exchange_rule(new, person.caller(), person.origin(), None)
        .await;
    match made {
        Ok(shown) => {
            let to = format!("{LIST}/{}", shown.rule.id);
            Ok(person.done(&to, Done::ExchangeRuleMade))
        }
        Err(error) => {
            let wrong = of_form(person.words, error, &FIELDS)?;
            let page = what(&person, application, &ends, (&fields, &wrong)).await?;
            let place = (Place::All, Topic::ExchangeRules);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}
