//! The cookies: which there are, what they hold, how they are protected (OWASP ASVS 5.0 §3.3).
//!
//! All are for this host alone (`__Host-`), by TLS alone (`Secure`, which browsers take on loopback too), out of reach of scripts, and
//! sent along only where somebody comes by himself (`SameSite=Lax`). Where the deployment is reached without TLS beyond loopback, which an
//! operator must ask for, browsers would refuse such cookies: there they go without the first two.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// A cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieName {
    /// The session of somebody who signed in.
    Session,
    /// A browser that nobody signed in with.
    Visit,
    /// An attempt to sign in at the provider.
    Attempt,
    /// An attempt to sign in with a passkey, or to add one.
    Passkey,
    /// What was just done, to be told on the next page.
    Done,
    /// Which answer shows a secret now: it is erased when the person goes on.
    Shown,
    /// The language.
    Language,
    /// Light or dark.
    Theme,
}

impl CookieName {
    fn plain(self) -> &'static str {
        match self {
            Self::Session => "kagiya-session",
            Self::Visit => "kagiya-visit",
            Self::Attempt => "kagiya-attempt",
            Self::Passkey => "kagiya-passkey",
            Self::Done => "kagiya-done",
            Self::Shown => "kagiya-shown",
            Self::Language => "kagiya-language",
            Self::Theme => "kagiya-theme",
        }
    }

    /// How long the browser keeps it; `None`: until it is closed.
    fn lifetime(self) -> Option<Duration> {
        match self {
            Self::Session | Self::Visit | Self::Shown => None,
            Self::Attempt | Self::Passkey => Some(Duration::minutes(10)),
            Self::Done => Some(Duration::minutes(5)),
            Self::Language | Self::Theme => Some(Duration::days(365)),
        }
    }
}

/// Reads and writes them.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Whether browsers take cookies of the strict kind from us.
    pub strict: bool,
}

impl Cookies {
    fn name(self, name: CookieName) -> String {
        let prefix = if self.strict { "__Host-" } else { "" };
        format!("{prefix}{}", name.plain())
    }

    /// What a browser brings; nothing where it brings two of one name.
    pub fn read(self, request: &HttpRequest, name: CookieName) -> Option<String> {
        let wanted = self.name(name);
        let all = request.cookies().ok()?;
        let mut found = all.iter().filter(|cookie| cookie.name() == wanted);
        let (Some(one), None) = (found.next(), found.next()) else {
            return None;
        };
        Some(one.value().to_owned()).filter(|value| !value.is_empty())
    }

    /// One to be set.
    pub fn set(self, name: CookieName, value: impl Into<String>) -> Cookie<'static> {
        let mut cookie = Cookie::build(self.name(name), value.into())
            .path("/")
            .http_only(true)
            .secure(self.strict)
            .same_site(SameSite::Lax)
            .finish();
        if let Some(lifetime) = name.lifetime() {
            cookie.set_max_age(lifetime);
        }
        cookie
    }

    /// One to be forgotten.
    pub fn forget(self, name: CookieName) -> Cookie<'static> {
        let mut cookie = self.set(name, "");
        cookie.set_max_age(Duration::ZERO);
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_protected_in_every_way_that_there_is() {
        let cookie = Cookies { strict: true }.set(CookieName::Session, "x");
        assert_eq!(
            cookie.to_string(),
            "__Host-kagiya-session=x; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let cookies = Cookies { strict: true };
        let request = |value: &str| {
            actix_web::test::TestRequest::default()
                .insert_header(("Cookie", value))
                .to_http_request()
        };
        let one = request("__Host-kagiya-session=a; other=b");
        assert_eq!(
            cookies.read(&one, CookieName::Session).as_deref(),
            Some("a")
        );
        for none in [
            "__Host-kagiya-session=a; __Host-kagiya-session=b",
            "kagiya-session=a",
            "__Host-kagiya-session=",
        ] {
            assert_eq!(
                cookies.read(&request(none), CookieName::Session),
                None,
                "{none}"
            );
        }
    }
}
