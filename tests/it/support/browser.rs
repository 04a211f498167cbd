//! A browser, as far as the pages need one: it keeps cookies, fills in forms, and goes where it is sent.
//!
//! Every page that it is shown is held against what holds for all of them ([`Page::check`]), so each test of pages is a test of that too.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::page::Page;
use super::test_app::{ISSUER, TestApp};
use super::transcript::{Answer, Request};

/// Redirects that are followed.
const FOLLOWED: usize = 5;
/// Cookies whose value is a secret.
const SECRET_COOKIES: [&str; 4] = ["session", "attempt", "passkey", "shown"];

/// A browser of somebody.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    cookies: RefCell<BTreeMap<String, String>>,
    language: &'static str,
    address: Option<&'static str>,
}

impl<'a> Browser<'a> {
    /// One that was never here, on the server's own machine, in English.
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookies: RefCell::default(),
            language: "en",
            address: None,
        }
    }

    /// In this language.
    pub(crate) fn language(self, language: &'static str) -> Self {
        Self { language, ..self }
    }

    /// Elsewhere.
    pub(crate) fn at(self, address: &'static str) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Another browser with the same cookies, as of a thief.
    pub(crate) fn twin(&self) -> Self {
        Self {
            app: self.app,
            cookies: self.cookies.clone(),
            ..*self
        }
    }

    /// The value of a cookie, by its name behind `__Host-kagiya-`.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies
            .borrow()
            .get(&format!("__Host-kagiya-{name}"))
            .cloned()
    }

    /// Puts a cookie there, as an attacker would.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        let name = format!("__Host-kagiya-{name}");
        self.cookies.borrow_mut().insert(name, value.to_owned());
    }

    /// A request with the cookies, as a browser sends it for a page.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'a> {
        let mut request = self
            .app
            .request(method, path)
            .header("Accept", "text/html")
            .header("Accept-Language", self.language);
        if let Some(address) = self.address {
            request = request.from(address);
        }
        let cookies = self.cookies.borrow();
        if !cookies.is_empty() {
            let pairs: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("Cookie", pairs.join("; "));
        }
        request
    }

    /// Sends a request and keeps the cookies of its answer.
    pub(crate) async fn send(&self, request: Request<'_>) -> Answer {
        let answer = request.send().await;
        self.keep(&answer);
        answer
    }

    /// `GET path`, whatever comes.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    /// Opens a page and goes where it leads; the page at the end must be there.
    pub(crate) async fn open(&self, path: &str) -> Page {
        self.visit(path).await.expect(200)
    }

    /// Opens a page, and goes where it leads, whatever comes of it.
    pub(crate) async fn visit(&self, path: &str) -> Page {
        self.follow(path, self.get(path).await).await
    }

    /// Opens a page that is not there, or not his.
    pub(crate) async fn misses(&self, path: &str) -> Page {
        let answer = self.get(path).await;
        Page::read(self.app, path, answer).expect(404)
    }

    /// Sends a form of a page as a browser does, with these fields filled in; what comes of it, whatever it is.
    pub(crate) async fn try_submit(
        &self,
        page: &Page,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let answer = self.post(action, &page.form(action).filled(fields)).await;
        self.follow(action, answer).await
    }

    /// The same, where it must be taken.
    pub(crate) async fn submit(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        self.try_submit(page, action, fields).await.expect(200)
    }

    /// Posts fields from one of our own pages; where that leads is not followed.
    pub(crate) async fn post(&self, path: &str, fields: &[(String, String)]) -> Answer {
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let request = self
            .request("POST", path)
            .header("Origin", ISSUER)
            .header("Sec-Fetch-Site", "same-origin")
            .form(&fields);
        self.send(request).await
    }

    async fn follow(&self, path: &str, mut answer: Answer) -> Page {
        let mut path = path.to_owned();
        for _ in 0..FOLLOWED {
            if answer.status != 303 {
                return Page::read(self.app, &path, answer);
            }
            path = answer.header("location").unwrap().to_owned();
            assert!(path.starts_with('/'), "sent elsewhere: {path}");
            answer = self.get(&path).await;
        }
        panic!("sent around in circles: {path}");
    }

    fn keep(&self, answer: &Answer) {
        let set = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie");
        for (_, cookie) in set {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap_or_default();
            let protected = ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"]
                .iter()
                .all(|word| rest.split("; ").any(|part| part == *word));
            assert!(
                protected && name.starts_with("__Host-kagiya-"),
                "an unprotected cookie: {name}"
            );
            if value.is_empty() {
                self.cookies.borrow_mut().remove(name);
                continue;
            }
            if SECRET_COOKIES.iter().any(|secret| name.ends_with(secret)) {
                self.app.witness().keep(value);
            }
            self.cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned());
        }
    }
}
