//! Keys: listed, made, shown once, looked at, changed, rotated, stopped.

pub mod change;
pub mod list;
pub mod make;
pub mod owner;
pub mod pause;
pub mod permissions;
pub mod review;
pub mod rotate;
pub mod show;
pub mod shown_once;
pub mod stop;

pub use self::list::table;
pub use self::shown_once::name_words;

use super::errors::Wrong;
use super::language::Words;
use super::place::Place;
use super::view::{Tone, Value};
use super::visit::Person;
use crate::broker::Conflict;
use crate::broker::keys::ShownKey;
use crate::domain::id::KeyId;
use crate::domain::lifecycle::KeyStatus;
use crate::domain::permission::Permissions;
use crate::domain::text;
use crate::http::access::Access::Person as SignedIn;
use crate::http::problem::Problem;
use crate::http::routing::{Endpoint, get, post};

/// The pages of keys.
pub fn pages() -> Vec<Endpoint> {
    vec![
        get("/dashboard/all/keys", SignedIn, list::of_deployment),
        get(
            "/dashboard/organizations/{id}/keys",
            SignedIn,
            list::of_organization,
        ),
        get(
            "/dashboard/organizations/{id}/keys/new",
            SignedIn,
            make::ask,
        ),
        post(
            "/dashboard/organizations/{id}/keys/new",
            SignedIn,
            make::make,
        ),
        get("/dashboard/keys/{id}", SignedIn, show::show),
        get("/dashboard/keys/{id}/edit", SignedIn, change::ask),
        post("/dashboard/keys/{id}/edit", SignedIn, change::change),
        get(
            "/dashboard/keys/{id}/permissions",
            SignedIn,
            permissions::ask,
        ),
        post(
            "/dashboard/keys/{id}/permissions",
            SignedIn,
            permissions::change,
        ),
        get("/dashboard/keys/{id}/rotate", SignedIn, rotate::ask),
        post("/dashboard/keys/{id}/rotate", SignedIn, rotate::rotate),
        get("/dashboard/keys/{id}/disable", SignedIn, pause::ask_disable),
        post("/dashboard/keys/{id}/disable", SignedIn, pause::disable),
        get("/dashboard/keys/{id}/enable", SignedIn, pause::ask_enable),
        post("/dashboard/keys/{id}/enable", SignedIn, pause::enable),
        get("/dashboard/keys/{id}/revoke", SignedIn, stop::ask_revoke),
        post("/dashboard/keys/{id}/revoke", SignedIn, stop::revoke),
        get("/dashboard/keys/{id}/owner", SignedIn, owner::ask),
        post("/dashboard/keys/{id}/owner", SignedIn, owner::hand_over),
    ]
}

/// A key's state as a word.
pub fn state(words: Words, status: KeyStatus) -> Value {
    let (tone, text) = match status {
        KeyStatus::Active => (Tone::Ok, words.t("state-active")),
        KeyStatus::Disabled => (Tone::Warn, words.t("state-disabled")),
        KeyStatus::Expired => (Tone::Danger, words.t("state-expired")),
        KeyStatus::Revoked => (Tone::Danger, words.t("state-revoked")),
        KeyStatus::Pending => (Tone::Plain, words.t("state-pending")),
    };
    Value::Badge { tone, text }
}

/// The first names of what a key may do, and how many more there are.
pub fn scopes(words: Words, permissions: &Permissions) -> Value {
    const SHOWN: usize = 2;
    let mut all: Vec<String> = permissions
        .iter()
        .flat_map(|(_, scopes)| scopes.iter().map(ToString::to_string))
        .collect();
    if all.is_empty() {
        return Value::Nothing(words.t("no-permissions"));
    }
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    Value::Scopes {
        shown: all,
        more: (more > 0).then(|| words.one("scopes-more", "count", more)),
    }
}

/// The path of a key's page, and of what is below it.
pub fn path(id: &KeyId, below: &str) -> String {
    format!("/dashboard/keys/{id}{below}")
}

/// Reads a key's name. A key that was pasted in its place would stand in every list and log of changes.
fn read_name(person: &Person, text: &str, wrong: &mut Wrong) -> Option<String> {
    let words = person.words;
    match text::name(text) {
        Err(error) => wrong.add("name", name_words(words, error)),
        Ok(name) if is_key(person, &name) => wrong.add("name", words.t("wrong-name-is-key")),
        Ok(name) => return Some(name),
    }
    None
}

/// Whether a text is a key of ours.
fn is_key(person: &Person, text: &str) -> bool {
    person.broker.check_tag(text.as_bytes()).is_ok()
}

/// What a form's field for the name shows again: never a key.
fn name_again<'a>(person: &Person, text: &'a str) -> &'a str {
    if is_key(person, text) { "" } else { text }
}

/// The same, of a key that is not revoked: nothing about one that is changes any more.
async fn living(person: &Person, id: KeyId) -> Result<(ShownKey, Place), Problem> {
    let (key, place) = seen(person, id).await?;
    if key.status == KeyStatus::Revoked {
        return Err(Conflict::KeyRevoked.into());
    }
    Ok((key, place))
}

/// A key as the person sees it, with where it is.
async fn seen(person: &Person, id: KeyId) -> Result<(ShownKey, Place), Problem> {
    person.facts.key(id);
    let key = person.broker.key(id, person.caller()).await?;
    let organization = key.stored.key.organization_id;
    person.facts.organization(organization);
    Ok((key, Place::Organization(organization)))
}
