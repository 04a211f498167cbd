//! An organization's pages beside its keys: use, what needs attention, members, what it may use, audit trail, settings.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::done::Done;
use super::errors::{Wrong, of_form};
use super::fields::Fields;
use super::language::Words;
use super::markup::Markup;
use super::place::{Place, Topic};
use super::view::{
    Action, Block, Choice, Fact, Field, Form, Kind, Notice, Page, Part, Tone, Value,
};
use super::visit::{Person, PersonForm};
use super::{attention, audit, audit_export, members, permissions, usage};
use crate::broker::keys::{ManyKeys, OwnerName};
use crate::broker::{OrganizationChange, ShownOrganization};
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::organization::{OwnerGone, Slug};
use crate::domain::text;
use crate::http::access::Access::Person as SignedIn;
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::routing::{Endpoint, get, post};

/// The pages of organizations.
pub fn pages() -> Vec<Endpoint> {
    vec![
        get("/dashboard/all/usage", SignedIn, usage::of_deployment),
        get(
            "/dashboard/all/attention",
            SignedIn,
            attention::of_deployment,
        ),
        get("/dashboard/all/audit", SignedIn, audit::of_deployment),
        get(
            "/dashboard/all/audit/export",
            SignedIn,
            audit_export::of_deployment,
        ),
        get(
            "/dashboard/organizations/{id}/usage",
            SignedIn,
            usage::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/attention",
            SignedIn,
            attention::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/audit",
            SignedIn,
            audit::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/audit/export",
            SignedIn,
            audit_export::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/members",
            SignedIn,
            members::list,
        ),
        get(
            "/dashboard/organizations/{id}/members/{user_id}",
            SignedIn,
            members::show,
        ),
        post(
            "/dashboard/organizations/{id}/members/{user_id}",
            SignedIn,
            members::change,
        ),
        get(
            "/dashboard/organizations/{id}/members/{user_id}/remove",
            SignedIn,
            members::ask_remove,
        ),
        post(
            "/dashboard/organizations/{id}/members/{user_id}/remove",
            SignedIn,
            members::remove,
        ),
        get(
            "/dashboard/organizations/{id}/members/{user_id}/stop",
            SignedIn,
            ask_stop_member,
        ),
        post(
            "/dashboard/organizations/{id}/members/{user_id}/stop",
            SignedIn,
            stop_member,
        ),
        get(
            "/dashboard/organizations/{id}/invitations/new",
            SignedIn,
            members::ask_invite,
        ),
        post(
            "/dashboard/organizations/{id}/invitations/new",
            SignedIn,
            members::invite,
        ),
        post(
            "/dashboard/organizations/{id}/invitations/{link_id}/withdraw",
            SignedIn,
            members::withdraw,
        ),
        get(
            "/dashboard/organizations/{id}/permissions",
            SignedIn,
            permissions::show,
        ),
        post(
            "/dashboard/organizations/{id}/permissions",
            SignedIn,
            permissions::change,
        ),
        get("/dashboard/organizations/{id}/settings", SignedIn, settings),
        post(
            "/dashboard/organizations/{id}/settings",
            SignedIn,
            change_settings,
        ),
        get("/dashboard/organizations/{id}/stop", SignedIn, ask_stop_all),
        post("/dashboard/organizations/{id}/stop", SignedIn, stop_all),
    ]
}

/// An organization whose admin the person is; anything else is not there.
pub async fn overseen(person: &Person, id: OrganizationId) -> Result<ShownOrganization, Problem> {
    person.facts.organization(id);
    let shown = person
        .broker
        .shown_organization(id, person.caller())
        .await?;
    if !person.oversees(Place::Organization(id)) {
        return Err(Problem::not_found());
    }
    Ok(shown)
}

/// What an organization is.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn settings(person: Person, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    let shown = overseen(&person, id).await?;
    let page = settings_page(&person, &shown, None, &Wrong::new());
    person
        .page(Place::Organization(id), Topic::Settings, page)
        .await
}

fn settings_page(
    person: &Person,
    shown: &ShownOrganization,
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Page {
    let words = person.words;
    let organization = &shown.organization;
    let base = Place::Organization(organization.id).base();
    let text = |name: &str, now: String| sent.map_or(now, |sent| sent.text(name).to_owned());
    let name = Field::text("name", words.t("name"))
        .value(text("name", organization.name.clone()))
        .required()
        .error(wrong.of("name"));
    let slug = organization.slug.as_ref().map(ToString::to_string);
    let slug = Field::text("slug", words.t("slug"))
        .value(text("slug", slug.unwrap_or_default()))
        .help(words.t("slug-help"))
        .error(wrong.of("slug"));
    let gone = text("owner_gone", organization.owner_gone.as_str().to_owned());
    let choices = [
        ("pause", words.t("owner-gone-pause")),
        ("hand_over", words.t("owner-gone-hand-over")),
        ("keep", words.t("owner-gone-keep")),
    ]
    .into_iter()
    .map(|(word, label)| Choice::words(word, label, word == gone))
    .collect();
    let owner_gone = Field::text("owner_gone", words.t("owner-gone")).kind(Kind::Radio(choices));
    let mut form = Form::new(format!("{base}/settings"), words.t("save"))
        .hidden("version", organization.version.to_string())
        .part(name)
        .part(slug)
        .part(owner_gone);
    if person.is_operator() {
        let most = organization.max_keys.map(|most| most.to_string());
        let max_keys = Field::text("max_keys", words.t("max-keys"))
            .kind(Kind::Number {
                min: 0,
                max: 1_000_000,
            })
            .value(text("max_keys", most.unwrap_or_default()))
            .help(words.t("max-keys-help"))
            .error(wrong.of("max_keys"));
        let disabled = match sent {
            Some(sent) => sent.ticked("disabled"),
            None => organization.disabled_at.is_some(),
        };
        let disabled = Field::text("disabled", words.t("organization-disabled"))
            .kind(Kind::Check(disabled))
            .help(words.t("organization-disabled-help"));
        form = form.part(max_keys).part(disabled);
    }
    let facts = vec![Fact {
        name: words.t("organization-id"),
        value: Value::Copy {
            text: organization.id.to_string(),
            label: words.t("copy"),
        },
    }];
    let mut page = Page::new(words.t("settings")).narrow();
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    let mut actions = vec![Action {
        label: words.t("stop-all-keys"),
        href: format!("{base}/stop"),
        tone: Tone::Danger,
    }];
    if person.is_operator() {
        actions.push(Action {
            label: words.t("organization-delete"),
            href: format!("{base}/delete"),
            tone: Tone::Danger,
        });
    }
    page.block(Block::Facts(facts))
        .block(form)
        .block(Block::Heading {
            text: words.t("danger"),
            id: "danger",
        })
        .block(Block::Actions(actions))
}

/// Changes it.
///
/// # Errors
/// Not his to change, or the database does not answer.
pub async fn change_settings(
    sent: PersonForm,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words = person.words;
    let shown = overseen(&person, id).await?;
    let before = &shown.organization;
    let mut wrong = Wrong::new();
    let change = read_settings(&person, before, &fields, &mut wrong);
    if wrong.is_empty() {
        let version = fields.version();
        let changed = person
            .broker
            .update_organization(id, change, person.caller(), person.origin(), |now| {
                now == version
            })
            .await;
        match changed {
            Ok(_) => {
                let to = format!("{}/settings", Place::Organization(id).base());
                return Ok(person.done(&to, Done::OrganizationChanged));
            }
            Err(error) => wrong = of_form(words, error, &["name", "slug", "max_keys"])?,
        }
    }
    let page = settings_page(&person, &shown, Some(&fields), &wrong);
    let place = (Place::Organization(id), Topic::Settings);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

fn read_settings(
    person: &Person,
    before: &crate::domain::organization::Organization,
    fields: &Fields,
    wrong: &mut Wrong,
) -> OrganizationChange {
    let words = person.words;
    let mut change = OrganizationChange::default();
    match text::name(fields.text("name")) {
        Ok(name) => change.name = (name != before.name).then_some(name),
        Err(_) => wrong.add("name", words.t("wrong-value")),
    }
    let slug = read_slug(words, fields, wrong);
    if slug != before.slug {
        change.slug = Some(slug);
    }
    let gone: Option<OwnerGone> = fields.text("owner_gone").parse().ok();
    change.owner_gone = gone.filter(|gone| *gone != before.owner_gone);
    if person.is_operator() {
        let most = fields.given("max_keys").map(str::parse::<u32>).transpose();
        match most {
            Ok(most) if most.is_none_or(|most| most <= 1_000_000) => {
                if most != before.max_keys {
                    change.max_keys = Some(most);
                }
            }
            _ => wrong.add("max_keys", words.t("wrong-number")),
        }
        let disabled = fields.ticked("disabled");
        change.disabled = (disabled != before.disabled_at.is_some()).then_some(disabled);
    }
    change
}

/// The short name that a form has, if it has one.
pub fn read_slug(words: Words, fields: &Fields, wrong: &mut Wrong) -> Option<Slug> {
    match fields.given("slug").map(str::parse).transpose() {
        Ok(slug) => slug,
        Err(_) => {
            wrong.add("slug", words.t("wrong-slug"));
            None
        }
    }
}

/// Asks whether all keys of a member are to stop.
///
/// # Errors
/// Not his to stop, or the database does not answer.
pub async fn ask_stop_member(
    person: Person,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let page = stopping(&person, id, Some(user), &Wrong::new()).await?;
    person
        .page(Place::Organization(id), Topic::Members, page)
        .await
}

/// Stops them.
///
/// # Errors
/// Not his to stop, or the database does not answer.
pub async fn stop_member(
    sent: PersonForm,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    stop(sent, id, Some(user)).await
}

/// Asks whether all keys of the organization are to stop.
///
/// # Errors
/// Not his to stop, or the database does not answer.
pub async fn ask_stop_all(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    let page = stopping(&person, id, None, &Wrong::new()).await?;
    person
        .page(Place::Organization(id), Topic::Settings, page)
        .await
}

/// Stops them.
///
/// # Errors
/// Not his to stop, or the database does not answer.
pub async fn stop_all(
    sent: PersonForm,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    stop(sent, id, None).await
}

fn many(id: OrganizationId, user: Option<UserId>) -> ManyKeys {
    ManyKeys {
        organization: Some(id),
        owner: user.map(OwnerName::Id),
        ..ManyKeys::default()
    }
}

/// What the person has to type: the member's or the organization's name.
async fn to_type(
    person: &Person,
    id: OrganizationId,
    user: Option<UserId>,
) -> Result<String, Problem> {
    let shown = overseen(person, id).await?;
    let Some(user) = user else {
        return Ok(shown.organization.name);
    };
    let (_, user) = person.broker.member(id, user, person.caller()).await?;
    Ok(user.name.unwrap_or_else(|| user.subject.sub.to_string()))
}

async fn stopping(
    person: &Person,
    id: OrganizationId,
    user: Option<UserId>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    let words = person.words;
    let name = to_type(person, id, user).await?;
    let count = person
        .broker
        .revoke_keys(many(id, user), true, person.caller(), person.origin())
        .await?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let base = Place::Organization(id).base();
    let (title, here, back) = match user {
        Some(user) => (
            words.t("stop-member-keys"),
            format!("{base}/members/{user}/stop"),
            format!("{base}/members/{user}"),
        ),
        None => (
            words.t("stop-all-keys"),
            format!("{base}/stop"),
            format!("{base}/settings"),
        ),
    };
    let told = vec![
        Value::Words(words.one("stop-many-count", "count", count)),
        Value::Words(words.t("stop-many-now")),
        Value::Words(words.t("stop-tokens")),
        Value::Words(words.t("revoke-for-ever")),
    ];
    let shown = Markup::strong(&name);
    let typed = Field::text("name", words.t("revoke-type"))
        .required()
        .error(wrong.of("name"));
    let form = Form::new(here, words.t("stop-many"))
        .part(Part::Sentences(told))
        .part(Part::Text(
            words.mix("revoke-name", [("name", &shown)]).into(),
        ))
        .part(typed)
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), back);
    Ok(Page::new(title).heading(name).narrow().block(form))
}

async fn stop(
    sent: PersonForm,
    id: OrganizationId,
    user: Option<UserId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let name = to_type(&person, id, user).await?;
    if fields.text("name") != name.trim() {
        let wrong = Wrong::one("name", person.words.t("wrong-typed-name"));
        let page = stopping(&person, id, user, &wrong).await?;
        let place = (Place::Organization(id), Topic::Keys);
        return person
            .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
            .await;
    }
    person
        .broker
        .revoke_keys(many(id, user), false, person.caller(), person.origin())
        .await?;
    let to = format!("{}/keys", Place::Organization(id).base());
    Ok(person.done(&to, Done::KeysStopped))
}
