//! The pages for people, at `/dashboard`: HTML only. What a page changes goes through the same use cases of [`crate::broker`] as the
//! management API, with the same checks and the same audit trail.
//!
//! A request becomes a [`visit`]: who asks, in which language, from which browser. A page is composed of the blocks of [`view`] and
//! rendered by the templates; its words come from the catalogue ([`language`]). Everything works without a script. What protects the
//! pages: [`cookies`], [`forgery`], and the policy that each page is sent with ([`visit::POLICY`]).

pub mod account;
pub mod applications;
pub mod assets;
pub mod attention;
pub mod audit;
pub mod audit_export;
pub mod chart;
pub mod cookies;
pub mod csv;
pub mod done;
pub mod error_page;
pub mod errors;
pub mod events;
pub mod fields;
pub mod forgery;
pub mod form_parts;
pub mod format;
pub mod found;
pub mod frame;
pub mod home;
pub mod keys;
pub mod language;
pub mod links;
pub mod markup;
pub mod members;
pub mod operator;
pub mod organization;
pub mod paging;
pub mod passkeys;
pub mod password;
pub mod permissions;
pub mod place;
pub mod preferences;
pub mod sign_in;
pub mod sign_in_first;
pub mod snippets;
#[cfg(test)]
mod tests;
pub mod times;
pub mod usage;
pub mod view;
pub mod visit;

use crate::broker::sign_in::WebAuthnSite;
use crate::config;
use crate::domain::issuer::Issuer;
use crate::http::access::Access::{Person, Visitor};
use crate::http::routing::{Endpoint, get, post};

use self::assets::Assets;
use self::cookies::Cookies;
use self::frame::Brand;
use self::language::Language;

/// What all pages share.
pub struct Dashboard {
    assets: Assets,
    brand: Brand,
    cookies: Cookies,
    language: Language,
    /// The issuer's scheme, host and port: where our forms come from.
    origin: String,
    /// The issuer, as the start of addresses.
    base: String,
    /// Where passkeys belong; none where the issuer's host is no name.
    site: Option<WebAuthnSite>,
}

impl Dashboard {
    /// As the configuration has it.
    pub fn new(config: &config::Dashboard, issuer: &Issuer) -> Self {
        let assets = Assets::new(config);
        let brand = Brand::new(config, &assets);
        let base = issuer.as_str().trim_end_matches('/').to_owned();
        let url = url::Url::parse(issuer.as_str()).ok();
        let origin = url.as_ref().map(|url| url.origin().ascii_serialization());
        let host = url.as_ref().and_then(url::Url::host);
        let loopback = match &host {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => *name == "localhost",
            None => false,
        };
        let site = match &host {
            Some(url::Host::Domain(name)) => Some(WebAuthnSite {
                host: (*name).to_owned(),
                origin: origin.clone().unwrap_or_default(),
                name: brand.name.clone(),
            }),
            _ => None,
        };
        Self {
            assets,
            brand,
            cookies: Cookies {
                strict: base.starts_with("https://") || loopback,
            },
            language: Language::of_tag(&config.language).unwrap_or(Language::English),
            origin: origin.unwrap_or_default(),
            base,
            site,
        }
    }

    /// Where the sign-in provider sends people back to.
    fn redirect_uri(&self) -> String {
        format!("{}/dashboard/sign-in/callback", self.base)
    }
}

/// Every page, top to bottom: who may see it, and what answers it. Paths are tried in this order.
pub fn pages() -> Vec<Endpoint> {
    let mut pages = vec![
        // Anybody.
        get("/", Visitor, home::root),
        get("/dashboard/assets/{digest}/{name}", Visitor, assets::show),
        get("/dashboard/sign-in", Visitor, sign_in::show),
        post("/dashboard/sign-in", Visitor, sign_in::by_password),
        post("/dashboard/sign-in/passkey", Visitor, sign_in::by_passkey),
        get("/dashboard/sign-in/provider", Visitor, sign_in::to_provider),
        get(
            "/dashboard/sign-in/callback",
            Visitor,
            sign_in::from_provider,
        ),
        get("/dashboard/links/{secret}", Visitor, links::show),
        post("/dashboard/links/{secret}", Visitor, links::use_it),
        post("/dashboard/preferences", Visitor, preferences::set),
        // Whoever signed in: himself.
        get("/dashboard", Person, home::home),
        post("/dashboard/sign-out", Person, account::sign_out),
        get("/dashboard/account", Person, account::show),
        post("/dashboard/account/name", Person, account::rename),
        get("/dashboard/account/password", Person, password::ask),
        post("/dashboard/account/password", Person, password::change),
        get("/dashboard/account/passkeys/new", Person, passkeys::ask),
        post("/dashboard/account/passkeys/new", Person, passkeys::add),
        post(
            "/dashboard/account/passkeys/remove",
            Person,
            passkeys::remove,
        ),
        post(
            "/dashboard/account/sessions/end",
            Person,
            account::end_sessions,
        ),
        get("/dashboard/found", Person, found::ask),
        post("/dashboard/found", Person, found::tell),
        post("/dashboard/found/stop", Person, found::stop),
    ];
    pages.extend(keys::pages());
    pages.extend(applications::pages());
    pages.extend(organization::pages());
    pages.extend(operator::pages());
    pages
}
