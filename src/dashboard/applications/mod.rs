//! Machine-to-machine applications: listed, made, shown with their secrets once, changed, stopped. For admins those of their
//! organization, for operators all.

pub mod change;
pub mod fields;
pub mod list;
pub mod make;
pub mod roles;
pub mod secrets;
pub mod show;
pub mod shown_once;
mod snippets;
pub mod stop;
mod use_it;

use super::errors::Wrong;
use super::language::{Text, Words};
use super::place::Place;
use super::view::{Notice, Page, Tone, Value};
use super::visit::Person;
use crate::broker::{ShownApplication, ShownRole};
use crate::domain::application::{Application, TokenEndpointAuthMethod};
use crate::domain::id::ApplicationId;
use crate::domain::role::RoleKind;
use crate::http::access::Access::Person as SignedIn;
use crate::http::problem::Problem;
use crate::http::routing::{Endpoint, get, post};

/// Roles that can be chosen from.
const ROLES: usize = 200;

/// The pages of applications.
pub fn pages() -> Vec<Endpoint> {
    vec![
        get("/dashboard/all/applications", SignedIn, list::of_deployment),
        get(
            "/dashboard/all/applications/new",
            SignedIn,
            make::ask_in_deployment,
        ),
        post(
            "/dashboard/all/applications/new",
            SignedIn,
            make::make_in_deployment,
        ),
        get(
            "/dashboard/organizations/{id}/applications",
            SignedIn,
            list::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/applications/new",
            SignedIn,
            make::ask,
        ),
        post(
            "/dashboard/organizations/{id}/applications/new",
            SignedIn,
            make::make,
        ),
        get("/dashboard/applications/{id}", SignedIn, show::show),
        get("/dashboard/applications/{id}/edit", SignedIn, change::ask),
        post(
            "/dashboard/applications/{id}/edit",
            SignedIn,
            change::change,
        ),
        get("/dashboard/applications/{id}/roles", SignedIn, roles::ask),
        post(
            "/dashboard/applications/{id}/roles",
            SignedIn,
            roles::change,
        ),
        get(
            "/dashboard/applications/{id}/secrets/new",
            SignedIn,
            secrets::ask,
        ),
        post(
            "/dashboard/applications/{id}/secrets/new",
            SignedIn,
            secrets::add,
        ),
        get(
            "/dashboard/applications/{id}/secrets/{secret_id}/remove",
            SignedIn,
            secrets::ask_remove,
        ),
        post(
            "/dashboard/applications/{id}/secrets/{secret_id}/remove",
            SignedIn,
            secrets::remove,
        ),
        get(
            "/dashboard/applications/{id}/disable",
            SignedIn,
            stop::ask_disable,
        ),
        post(
            "/dashboard/applications/{id}/disable",
            SignedIn,
            stop::disable,
        ),
        post(
            "/dashboard/applications/{id}/enable",
            SignedIn,
            stop::enable,
        ),
        get(
            "/dashboard/applications/{id}/delete",
            SignedIn,
            stop::ask_delete,
        ),
        post(
            "/dashboard/applications/{id}/delete",
            SignedIn,
            stop::delete,
        ),
    ]
}

/// The path of an application's page, and of what is below it.
fn path(id: &ApplicationId, below: &str) -> String {
    format!("/dashboard/applications/{id}{below}")
}

/// An application as the person sees it, with where it is.
async fn seen(person: &Person, id: ApplicationId) -> Result<(ShownApplication, Place), Problem> {
    let shown = person.broker.application(id, person.caller()).await?;
    let place = place_of(&shown.application);
    if let Some(organization) = place.organization() {
        person.facts.organization(organization);
    }
    Ok((shown, place))
}

fn place_of(application: &Application) -> Place {
    application
        .organization_id
        .map_or(Place::All, Place::Organization)
}

/// An application's state as a word.
fn state(words: Words, application: &Application) -> Value {
    let (tone, text) = match application.disabled_at {
        None => (Tone::Ok, words.t("state-active")),
        Some(_) => (Tone::Warn, words.t("state-disabled")),
    };
    Value::Badge { tone, text }
}

/// How it proves who it is, in words.
fn method_words(words: Words, method: Option<TokenEndpointAuthMethod>) -> Text {
    match method {
        None => words.t("client-auth-secret"),
        Some(TokenEndpointAuthMethod::ClientSecretBasic) => words.t("client-auth-basic"),
        Some(TokenEndpointAuthMethod::ClientSecretPost) => words.t("client-auth-post"),
        Some(TokenEndpointAuthMethod::PrivateKeyJwt) => words.t("client-auth-jwt"),
    }
}

/// The roles that applications can be given here.
async fn machine_roles(person: &Person) -> Result<Vec<ShownRole>, Problem> {
    let kind = Some(RoleKind::MachineToMachine);
    Ok(person
        .broker
        .roles(person.caller(), (kind, None), None, ROLES)
        .await?)
}

/// The start of a page below an application's own.
fn below(shown: &ShownApplication, title: Text, wrong: &Wrong) -> Page {
    let application = &shown.application;
    let mut page = Page::new(title)
        .narrow()
        .crumb(application.name.as_str(), path(&application.id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page
}
