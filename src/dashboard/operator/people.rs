//! People: who is known, who waits, who runs the deployment, who may come at all.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::operators_alone;
use crate::broker::NewMembership;
use crate::broker::sign_in::{NewLink, ShownPerson};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::language::{Text, Words};
use crate::dashboard::members::{link_page, role_words};
use crate::dashboard::paging::{Address, ROWS, after, cut};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Block, Choice, Column, Empty, Fact, Field, Filter, Form, Kind, Notice, Page, Part, Row,
    Table, Tone, Value,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::sign_in::LinkPurpose;
use crate::domain::text;
use crate::domain::user::MemberRole;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Organizations that can be chosen from.
const ORGANIZATIONS: usize = 200;

fn name_of(shown: &ShownPerson) -> String {
    let user = &shown.user;
    user.name
        .clone()
        .unwrap_or_else(|| user.subject.sub.to_string())
}

fn standing(words: Words, shown: &ShownPerson) -> Value {
    let badge = |tone, text| Value::Badge { tone, text };
    if shown.is_disabled() {
        badge(Tone::Danger, words.t("person-shut-out"))
    } else if shown.is_operator() {
        badge(Tone::Ok, words.t("role-operator"))
    } else if shown.memberships.is_empty() {
        badge(Tone::Warn, words.t("person-waits"))
    } else {
        badge(Tone::Plain, words.t("role-member"))
    }
}

/// All of them, or those who wait.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn list(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let query = &person.query;
    let waiting = query.text("who") == "waiting";
    let text = query.given("q").and_then(|text| text::name(text).ok());
    let mut found = person
        .broker
        .people(person.caller(), (waiting, text), after(query), ROWS + 1)
        .await?;
    let address = Address::new("/dashboard/people", query, &["who", "q"]);
    let pager = cut(words, &mut found, &address, |shown| {
        (shown.user.created_at, shown.user.id.to_string())
    });
    let who = vec![
        Choice::words("", words.t("people-all"), !waiting),
        Choice::words("waiting", words.t("people-waiting"), waiting),
    ];
    let mut page = Page::new(words.t("people"));
    let number = person.broker.people_waiting(person.caller()).await?;
    if number > 0 && !waiting {
        let told = words.one("people-wait", "count", number);
        page = page
            .block(Notice::new(Tone::Warn, told))
            .block(Block::Actions(vec![Action {
                label: words.t("people-waiting-show"),
                href: "/dashboard/people?who=waiting".to_owned(),
                tone: Tone::Plain,
            }]));
    }
    page = page.block(Filter {
        action: "/dashboard/people".to_owned(),
        fields: vec![
            Field::text("q", words.t("search")).value(query.text("q")),
            Field::text("who", words.t("people-who")).kind(Kind::Select(who)),
        ],
        submit: words.t("filter"),
        clear: address
            .is_narrowed()
            .then(|| (words.t("filter-clear"), address.bare())),
    });
    if found.is_empty() {
        let text = if address.is_narrowed() {
            words.t("nothing-fits")
        } else {
            words.t("people-none")
        };
        page = page.block(Empty { text, action: None });
        return person.page(Place::All, Topic::People, page).await;
    }
    let times = person.times();
    let row = |shown: &ShownPerson| {
        let known = shown.person.as_ref();
        let by = known.and_then(|known| known.login_name.clone());
        let seen = known.and_then(|known| known.last_sign_in_at);
        Row {
            cells: vec![
                Value::Link {
                    href: format!("/dashboard/people/{}", shown.user.id),
                    text: name_of(shown),
                },
                match by {
                    Some(name) => Value::Data(name),
                    None => Value::Code(shown.user.subject.sub.to_string()),
                },
                standing(words, shown),
                match seen {
                    Some(at) => Value::Html(times.tell(at)),
                    None => Value::Words(words.t("person-never-came")),
                },
            ],
        }
    };
    page = page
        .block(Table {
            caption: words.t("people"),
            columns: ["name", "person-signs-in", "state", "person-last-came"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(Place::All, Topic::People, page).await
}

/// One of them.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let page = page(&person, id, &Wrong::new()).await?;
    person.page(Place::All, Topic::People, page).await
}

async fn page(person: &Person, id: UserId, wrong: &Wrong) -> Result<Page, Problem> {
    operators_alone(person)?;
    let words = person.words;
    let shown = person.broker.person_shown(id, person.caller()).await?;
    let organizations = person
        .broker
        .organizations(person.caller(), None, None, ORGANIZATIONS)
        .await?;
    let name = |id: &OrganizationId| {
        let found = organizations
            .iter()
            .find(|shown| shown.organization.id == *id);
        found.map_or_else(|| id.to_string(), |shown| shown.organization.name.clone())
    };
    let fact = |key: &str, value| Fact {
        name: words.t(key),
        value,
    };
    let login = shown
        .person
        .as_ref()
        .and_then(|known| known.login_name.clone());
    let mut facts = vec![
        fact("state", standing(words, &shown)),
        fact(
            "person-id",
            Value::Copy {
                text: shown.user.id.to_string(),
                label: words.t("copy"),
            },
        ),
        fact(
            "subject",
            Value::Lines(vec![
                Value::Code(shown.user.subject.sub.to_string()),
                Value::Code(shown.user.subject.iss.to_string()),
            ]),
        ),
    ];
    if let Some(login) = login {
        facts.push(fact("login-name", Value::Data(login)));
    }
    let members = shown.memberships.iter().map(|membership| {
        let organization = membership.organization_id;
        Row {
            cells: vec![
                Value::Link {
                    href: format!(
                        "{}/members/{}",
                        Place::Organization(organization).base(),
                        shown.user.id
                    ),
                    text: name(&organization),
                },
                Value::Words(role_words(words, membership.role)),
            ],
        }
    });
    let mut page = Page::new(words.t("person"))
        .heading(name_of(&shown))
        .narrow()
        .crumb(words.t("people"), "/dashboard/people");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page = page.block(Block::Facts(facts)).block(Block::Heading {
        text: words.t("organizations"),
        id: "organizations",
    });
    if !shown.memberships.is_empty() {
        page = page.block(Table {
            caption: words.t("organizations"),
            columns: ["name", "member-as"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: members.collect(),
        });
    }
    let is_member = |id: OrganizationId| {
        shown
            .memberships
            .iter()
            .any(|membership| membership.organization_id == id)
    };
    let choices: Vec<Choice> = organizations
        .iter()
        .filter(|other| !is_member(other.organization.id))
        .map(|other| {
            let organization = &other.organization;
            Choice::data(
                organization.id.to_string(),
                organization.name.clone(),
                false,
            )
        })
        .collect();
    if !choices.is_empty() {
        let roles = [MemberRole::Member, MemberRole::Admin].map(|role| {
            Choice::words(
                role.as_str(),
                role_words(words, role),
                role == MemberRole::Member,
            )
        });
        let join = Form::new(
            format!("/dashboard/people/{id}/join"),
            words.t("person-join"),
        )
        .part(
            Field::text("organization", words.t("organization"))
                .kind(Kind::Select(choices))
                .error(wrong.of("organization")),
        )
        .part(Field::text("role", words.t("member-as")).kind(Kind::Select(roles.to_vec())))
        .tone(Tone::Plain);
        page = page.block(join);
    }
    if let Some(reset) = reset(person, &shown) {
        page = page
            .block(Block::Heading {
                text: words.t("password"),
                id: "password",
            })
            .block(reset);
    }
    let actions = actions(person, &shown);
    if !actions.is_empty() {
        page = page
            .block(Block::Heading {
                text: words.t("person-access"),
                id: "access",
            })
            .block(Block::Actions(actions));
    }
    Ok(page)
}

fn actions(person: &Person, shown: &ShownPerson) -> Vec<Action> {
    let words = person.words;
    let id = shown.user.id;
    let himself = id == person.who().id;
    let action = |label: Text, below: &str, tone| Action {
        label,
        href: format!("/dashboard/people/{id}/{below}"),
        tone,
    };
    let mut actions = Vec::new();
    if himself {
        return actions;
    }
    if !shown.is_operator() {
        actions.push(action(words.t("operator-grant"), "operator", Tone::Plain));
    } else if !shown.operator_by_configuration {
        actions.push(action(words.t("operator-revoke"), "operator", Tone::Danger));
    }
    if shown.is_disabled() {
        actions.push(action(words.t("person-let-in"), "shut-out", Tone::Plain));
    } else {
        actions.push(action(words.t("person-shut"), "shut-out", Tone::Danger));
    }
    actions
}

/// A link for a forgotten password.
fn reset(person: &Person, shown: &ShownPerson) -> Option<Form> {
    let words = person.words;
    let id = shown.user.id;
    (shown.is_local() && !shown.is_disabled()).then(|| {
        Form::new(
            format!("/dashboard/people/{id}/password-link"),
            words.t("password-link-make"),
        )
        .part(Part::Text(words.t("password-link-text").into()))
        .tone(Tone::Plain)
    })
}

/// Makes a person a member somewhere.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn join(sent: PersonForm, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let organization: OrganizationId = fields
        .text("organization")
        .parse()
        .map_err(|_| Problem::not_found())?;
    let role = fields.text("role").parse().unwrap_or(MemberRole::Member);
    let wanted = NewMembership {
        role,
        roles: Vec::new(),
    };
    let put = person
        .broker
        .put_member(
            (organization, id),
            wanted,
            person.caller(),
            person.origin(),
            |_| true,
        )
        .await;
    match put {
        // Where his roles are set next.
        Ok(_) => {
            let base = Place::Organization(organization).base();
            Ok(person.done(&format!("{base}/members/{id}"), Done::MemberChanged))
        }
        Err(error) => {
            let wrong = of_form(person.words, error, &["organization"])?;
            let page = page(&person, id, &wrong).await?;
            let place = (Place::All, Topic::People);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}

async fn asked(person: &Person, id: UserId) -> Result<(ShownPerson, Page), Problem> {
    operators_alone(person)?;
    let shown = person.broker.person_shown(id, person.caller()).await?;
    let page = Page::new(person.words.t("person"))
        .heading(name_of(&shown))
        .narrow()
        .crumb(person.words.t("people"), "/dashboard/people");
    Ok((shown, page))
}

/// Asks whether somebody is to run the deployment, or no more.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_operator(person: Person, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let (shown, page) = asked(&person, id).await?;
    let words = person.words;
    let (told, label, tone) = if shown.is_operator() {
        (
            words.t("operator-revoke-text"),
            words.t("operator-revoke"),
            Tone::Danger,
        )
    } else {
        (
            words.t("operator-grant-text"),
            words.t("operator-grant"),
            Tone::Danger,
        )
    };
    let wanted = if shown.is_operator() { "no" } else { "yes" };
    let form = Form::new(format!("/dashboard/people/{id}/operator"), label)
        .hidden("operator", wanted)
        .part(Part::Sentences(vec![Value::Words(told)]))
        .tone(tone)
        .cancel(words.t("cancel"), format!("/dashboard/people/{id}"));
    let page = page.block(form);
    person.page(Place::All, Topic::People, page).await
}

/// Makes it so.
///
/// # Errors
/// Not an operator, himself, or the database does not answer.
pub async fn operator(sent: PersonForm, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let wanted = fields.text("operator") == "yes";
    person
        .broker
        .set_operator(id, wanted, person.caller(), &person.origin())
        .await?;
    let done = if wanted {
        Done::OperatorGranted
    } else {
        Done::OperatorRevoked
    };
    Ok(person.done(&format!("/dashboard/people/{id}"), done))
}

/// Asks whether somebody is to be shut out, or let in again.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_shut_out(person: Person, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let (shown, page) = asked(&person, id).await?;
    let words = person.words;
    let shut = shown.is_disabled();
    let (told, label) = if shut {
        (
            vec![Value::Words(words.t("person-let-in-text"))],
            words.t("person-let-in"),
        )
    } else {
        (
            vec![
                Value::Words(words.t("person-shut-text")),
                Value::Words(words.t("person-shut-keys")),
            ],
            words.t("person-shut"),
        )
    };
    let form = Form::new(format!("/dashboard/people/{id}/shut-out"), label)
        .hidden("disabled", if shut { "no" } else { "yes" })
        .part(Part::Sentences(told))
        .tone(if shut { Tone::Accent } else { Tone::Danger })
        .cancel(words.t("cancel"), format!("/dashboard/people/{id}"));
    let page = page.block(form);
    person.page(Place::All, Topic::People, page).await
}

/// Makes it so.
///
/// # Errors
/// Not an operator, himself, or the database does not answer.
pub async fn shut_out(sent: PersonForm, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let disabled = fields.text("disabled") == "yes";
    person
        .broker
        .set_person_disabled(id, disabled, person.caller(), &person.origin())
        .await?;
    let done = if disabled {
        Done::PersonDisabled
    } else {
        Done::PersonEnabled
    };
    Ok(person.done(&format!("/dashboard/people/{id}"), done))
}

/// Makes a link for a forgotten password and shows it, this once.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn password_link(sent: PersonForm, Id(id): Id<UserId>) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    let words = person.words;
    let new = NewLink {
        purpose: LinkPurpose::Password { user: id },
        note: None,
        loopback: false,
    };
    let made = person
        .broker
        .make_link(new, person.caller(), &person.origin(), None)
        .await?;
    let page = link_page(&person, words.t("password-link"), &made)
        .crumb(words.t("people"), "/dashboard/people")
        .block(Block::Actions(vec![Action {
            label: words.t("invite-sent"),
            href: format!("/dashboard/people/{id}"),
            tone: Tone::Accent,
        }]));
    person.page(Place::All, Topic::People, page).await
}
