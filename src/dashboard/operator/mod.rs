//! The pages of operators: what belongs to the deployment.

pub mod exchange_rules;
pub mod organizations;
pub mod people;
pub mod resource_removal;
pub mod resources;
pub mod roles;
pub mod security;

use super::visit::Person;
use crate::http::access::Access::Person as SignedIn;
use crate::http::problem::Problem;
use crate::http::routing::{Endpoint, get, post};

/// The pages of operators.
pub fn pages() -> Vec<Endpoint> {
    let mut pages = vec![
        get("/dashboard/organizations", SignedIn, organizations::list),
        get("/dashboard/organizations/new", SignedIn, organizations::ask),
        post(
            "/dashboard/organizations/new",
            SignedIn,
            organizations::make,
        ),
        get(
            "/dashboard/organizations/{id}/delete",
            SignedIn,
            organizations::ask_delete,
        ),
        post(
            "/dashboard/organizations/{id}/delete",
            SignedIn,
            organizations::delete,
        ),
        get("/dashboard/people", SignedIn, people::list),
        get("/dashboard/people/{id}", SignedIn, people::show),
        post("/dashboard/people/{id}/join", SignedIn, people::join),
        get(
            "/dashboard/people/{id}/operator",
            SignedIn,
            people::ask_operator,
        ),
        post(
            "/dashboard/people/{id}/operator",
            SignedIn,
            people::operator,
        ),
        get(
            "/dashboard/people/{id}/shut-out",
            SignedIn,
            people::ask_shut_out,
        ),
        post(
            "/dashboard/people/{id}/shut-out",
            SignedIn,
            people::shut_out,
        ),
        post(
            "/dashboard/people/{id}/password-link",
            SignedIn,
            people::password_link,
        ),
        get("/dashboard/resources", SignedIn, resources::list),
        get("/dashboard/resources/new", SignedIn, resources::ask),
        post("/dashboard/resources/new", SignedIn, resources::make),
        get("/dashboard/resources/{id}", SignedIn, resources::show),
        post("/dashboard/resources/{id}", SignedIn, resources::change),
        post(
            "/dashboard/resources/{id}/permissions",
            SignedIn,
            resources::add_permission,
        ),
        get(
            "/dashboard/resources/{id}/permissions/{permission_id}/delete",
            SignedIn,
            resource_removal::ask_delete_permission,
        ),
        post(
            "/dashboard/resources/{id}/permissions/{permission_id}/delete",
            SignedIn,
            resource_removal::delete_permission,
        ),
        get(
            "/dashboard/resources/{id}/delete",
            SignedIn,
            resource_removal::ask_delete,
        ),
        post(
            "/dashboard/resources/{id}/delete",
            SignedIn,
            resource_removal::delete,
        ),
        get("/dashboard/roles", SignedIn, roles::list),
        get("/dashboard/roles/new", SignedIn, roles::ask),
        post("/dashboard/roles/new", SignedIn, roles::make),
        get("/dashboard/roles/{id}", SignedIn, roles::show),
        post("/dashboard/roles/{id}", SignedIn, roles::change),
        get("/dashboard/roles/{id}/delete", SignedIn, roles::ask_delete),
        post("/dashboard/roles/{id}/delete", SignedIn, roles::delete),
        get("/dashboard/security", SignedIn, security::show),
        post(
            "/dashboard/security/signing-keys/rotate",
            SignedIn,
            security::rotate_signing,
        ),
        get(
            "/dashboard/security/signing-keys/{kid}/withdraw",
            SignedIn,
            security::ask_withdraw,
        ),
        post(
            "/dashboard/security/signing-keys/{kid}/withdraw",
            SignedIn,
            security::withdraw,
        ),
        get(
            "/dashboard/security/secrets/{purpose}/rotate",
            SignedIn,
            security::ask_rotate_secret,
        ),
        post(
            "/dashboard/security/secrets/{purpose}/rotate",
            SignedIn,
            security::rotate_secret,
        ),
        post(
            "/dashboard/security/secrets/{purpose}/retire",
            SignedIn,
            security::retire_secret,
        ),
    ];
    pages.extend(exchange_rules::pages());
    pages
}

/// To anybody but an operator these pages are not there.
pub fn operators_alone(person: &Person) -> Result<(), Problem> {
    if person.is_operator() {
        Ok(())
    } else {
        Err(Problem::not_found())
    }
}
