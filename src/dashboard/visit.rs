//! One request for a page: who asks, in which language, from which browser. The extractors are the credentials: a handler that
//! takes a [`Person`] is reached by who signed in alone, one that takes a [`PersonForm`] only by a form of one of our own pages.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, USER_AGENT,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::future::LocalBoxFuture;

use super::Dashboard;
use super::cookies::CookieName;
use super::done::Done;
use super::fields::Fields;
use super::forgery;
use super::frame::{Frame, Loaded, Theme};
use super::language::{Language, Words};
use super::sign_in_first::SignInFirst;
use super::times::Times;
use super::view::{Block, Notice, Page, Tone};
use crate::broker::sign_in::{self, SignedIn};
use crate::broker::{Broker, Caller};
use crate::domain::audit::Origin;
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::user::User;
use crate::http::body::{self, MediaType};
use crate::http::facts::Facts;
use crate::http::problem::Problem;

/// What every page may load and do: its own style sheet, script and pictures, and forms that go to itself.
pub const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; object-src 'none'",
);

/// A request for a page, by whomever.
pub struct Visit {
    /// The use cases.
    pub broker: Arc<Broker>,
    /// How the pages look.
    pub dashboard: web::Data<Dashboard>,
    /// The facts of the request.
    pub facts: Facts,
    /// The words of its language.
    pub words: Words,
    /// Light or dark.
    pub theme: Theme,
    /// The query.
    pub query: Fields,
    /// The request itself.
    request: HttpRequest,
    /// What tells this browser from all others: its session, or its visit.
    browser: BrowserSecret,
    /// Whether the browser has to be given its visit.
    is_new: bool,
    /// What was just done.
    done: Option<Done>,
    /// Whether a secret was shown on the page before.
    has_shown: bool,
    signed_in: Option<SignedIn>,
}

/// Anybody.
pub struct Visitor(Visit);

/// Somebody who signed in.
pub struct Person {
    visit: Visit,
    signed_in: SignedIn,
}

/// A form of one of our own pages, sent by anybody.
pub struct VisitorForm {
    /// Who sent it.
    pub visitor: Visitor,
    /// What it says.
    pub fields: Fields,
}

/// A form of one of our own pages, sent by somebody who signed in.
pub struct PersonForm {
    /// Who sent it.
    pub person: Person,
    /// What it says.
    pub fields: Fields,
}

impl Visit {
    /// Seen from now.
    pub fn times(&self) -> Times {
        Times::new(self.words, self.broker.now())
    }

    /// Who asks, where nobody signed in.
    pub fn visitor(&self) -> sign_in::Visitor {
        let agent = self.request.headers().get(USER_AGENT);
        sign_in::Visitor {
            origin: self.facts.origin("visitor"),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .map(str::to_owned),
        }
    }

    /// What a browser brings.
    pub fn cookie(&self, name: CookieName) -> Option<String> {
        self.dashboard.cookies.read(&self.request, name)
    }

    /// The path and the query, to come back to.
    fn here(&self) -> String {
        self.request
            .uri()
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Whether somebody signed in with this browser.
    pub fn is_signed_in(&self) -> bool {
        self.signed_in.is_some()
    }

    /// Who signed in with this browser.
    pub fn user(&self) -> Option<&User> {
        self.signed_in.as_ref().map(|signed_in| &signed_in.user)
    }

    /// The token of this browser's forms.
    pub fn token(&self) -> String {
        self.broker.form_token(&self.browser)
    }

    /// The frame of a page without a place.
    pub fn frame(&self) -> Frame {
        Frame {
            words: self.words,
            theme: self.theme,
            brand: self.dashboard.brand.clone(),
            assets: Loaded::from(&self.dashboard.assets),
            token: self.token(),
            here: self.here(),
            person: None,
            places: None,
            sections: Vec::new(),
            news: self.news(),
        }
    }

    fn news(&self) -> Vec<Block> {
        let told = self.done.map(|done| {
            let text = done.words(self.words);
            Block::from(Notice::news(Tone::Ok, text))
        });
        told.into_iter().collect()
    }

    /// Answers with a page in this frame.
    ///
    /// # Errors
    /// A defect in a template.
    pub fn answer(
        &self,
        status: StatusCode,
        frame: &Frame,
        mut page: Page,
    ) -> Result<HttpResponse, Problem> {
        let mut wrong = Vec::new();
        for block in &mut page.blocks {
            if let Block::Form(form) = block {
                form.token.clone_from(&frame.token);
                wrong.extend(form.errors());
            }
        }
        if !wrong.is_empty() {
            page.is_error = true;
            let mut notice = Notice::news(Tone::Danger, self.words.t("form-wrong"));
            notice.fields = wrong;
            page.blocks.insert(0, notice.into());
        }
        let html = page.render(frame)?;
        let mut response = self.response(status);
        if self.is_new {
            response.cookie(
                self.dashboard
                    .cookies
                    .set(CookieName::Visit, self.browser.expose()),
            );
        }
        if self.has_shown {
            response.cookie(self.dashboard.cookies.forget(CookieName::Shown));
        }
        if self.done.is_some() {
            response.cookie(self.dashboard.cookies.forget(CookieName::Done));
        }
        Ok(response.content_type("text/html; charset=utf-8").body(html))
    }

    /// The head of an answer with everything that protects a page.
    pub fn response(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        response
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if !self.dashboard.cookies.strict {
            // Without TLS browsers send no Sec-Fetch-Site, and with no referrer no Origin either: a form of ours could not be told.
            response.insert_header((REFERRER_POLICY, HeaderValue::from_static("same-origin")));
        }
        response
    }

    /// The same answer, with when it is worth to ask again.
    pub fn wait(&self, mut response: HttpResponse, seconds: u32) -> HttpResponse {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
        response
    }

    /// Sends somebody on to a page of ours.
    pub fn redirect(&self, to: &str) -> HttpResponse {
        self.redirecting(to).finish()
    }

    /// The same, with more to be said in its head.
    pub fn redirecting(&self, to: &str) -> HttpResponseBuilder {
        let mut response = self.response(StatusCode::SEE_OTHER);
        response.insert_header((LOCATION, to));
        response
    }

    /// Sends somebody on after something was done, which that page tells.
    pub fn done(&self, to: &str, done: Done) -> HttpResponse {
        let mut response = self.redirecting(to);
        response.cookie(self.dashboard.cookies.set(CookieName::Done, done.as_str()));
        response.finish()
    }
}

impl Deref for Visitor {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl Deref for Person {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Visitor {
    /// Answers with a page.
    ///
    /// # Errors
    /// A defect in a template.
    pub fn page(&self, status: StatusCode, page: Page) -> Result<HttpResponse, Problem> {
        self.answer(status, &self.frame(), page)
    }
}

impl Person {
    /// Who he is.
    pub fn who(&self) -> &User {
        &self.signed_in.user
    }

    /// His session.
    pub fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    /// What he may do, as of now.
    pub fn caller(&self) -> &Caller {
        &self.signed_in.caller
    }

    /// The request as the audit trail names it.
    pub fn origin(&self) -> Origin {
        self.facts.origin(&self.signed_in.caller.actor)
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { visit(request).await.map(Self) })
    }
}

impl FromRequest for Person {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let visit = visit(request).await?;
            let wanted = visit.here();
            Ok(person(visit, Some(wanted))?)
        })
    }
}

impl FromRequest for VisitorForm {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visit = visit(request.clone()).await?;
            let fields = sent(&visit, &request, payload).await?;
            Ok(Self {
                visitor: Visitor(visit),
                fields,
            })
        })
    }
}

impl FromRequest for PersonForm {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visit = visit(request.clone()).await?;
            if visit.signed_in.is_none() {
                return Err(SignInFirst(None).into());
            }
            let fields = sent(&visit, &request, payload).await?;
            let person = person(visit, None)?;
            Ok(Self { person, fields })
        })
    }
}

fn person(mut visit: Visit, wanted: Option<String>) -> Result<Person, SignInFirst> {
    match visit.signed_in.take() {
        Some(signed_in) => Ok(Person { visit, signed_in }),
        None => Err(SignInFirst(wanted)),
    }
}

/// The fields of a form that one of our own pages sent.
async fn sent(
    visit: &Visit,
    request: &HttpRequest,
    mut payload: Payload,
) -> Result<Fields, Problem> {
    let forged = || {
        visit.facts.reason("form_of_others");
        Problem::forbidden(
            "the form did not come from one of our own pages, or that page is too old",
        )
    };
    if !forgery::is_same_origin(request.headers(), &visit.dashboard.origin) {
        return Err(forged());
    }
    if MediaType::of(request.headers())? != MediaType::Form {
        return Err(Problem::unsupported_media_type(
            "forms alone are taken here",
        ));
    }
    let bytes = body::read(request.headers(), &mut payload, body::LIMIT).await?;
    let fields = Fields::read(&bytes)?;
    if !visit
        .broker
        .is_form_token(&visit.browser, fields.raw("token"))
    {
        return Err(forged());
    }
    Ok(fields)
}

async fn visit(request: HttpRequest) -> Result<Visit, Problem> {
    let missing = || Problem::internal("the application has no dashboard");
    let broker = request
        .app_data::<web::Data<Broker>>()
        .ok_or_else(missing)?;
    let broker = Arc::clone(&broker.clone().into_inner());
    let dashboard = request.app_data::<web::Data<Dashboard>>();
    let dashboard = dashboard.ok_or_else(missing)?.clone();
    let facts = Facts::extract(&request).await?;
    let cookies = dashboard.cookies;
    let session = cookies
        .read(&request, CookieName::Session)
        .and_then(|text| BrowserSecret::parse(SecretKind::Session, &text));
    let signed_in = match &session {
        None => None,
        Some(session) => broker.signed_in(session).await?,
    };
    if let Some(signed_in) = &signed_in {
        facts.actor(Arc::clone(&signed_in.caller.actor));
    }
    let visit = cookies
        .read(&request, CookieName::Visit)
        .and_then(|text| BrowserSecret::parse(SecretKind::Visit, &text));
    let (browser, is_new) = match (session.filter(|_| signed_in.is_some()), visit) {
        (Some(session), _) => (session, false),
        (None, Some(visit)) => (visit, false),
        (None, None) => (
            BrowserSecret::generate(SecretKind::Visit, &**broker.random()),
            true,
        ),
    };
    let has_shown = forget_shown(&request, &broker, &dashboard).await?;
    let (words, theme) = tastes(&request, &dashboard);
    let done = cookies
        .read(&request, CookieName::Done)
        .and_then(|word| Done::of_word(&word));
    Ok(Visit {
        query: Fields::read(request.query_string().as_bytes())?,
        broker,
        dashboard,
        facts,
        words,
        theme,
        request,
        browser,
        is_new,
        done,
        has_shown,
        signed_in,
    })
}

/// What seals the record of an answer that shows a secret.
pub const SHOWN: &str = "shown secret";

/// Erases the kept answer of the page before, if that showed a secret: going back never shows it again. The very form that shows it may be
/// sent again, as by a reload.
async fn forget_shown(
    request: &HttpRequest,
    broker: &Broker,
    dashboard: &Dashboard,
) -> Result<bool, Problem> {
    let path = request.path();
    let shows =
        request.method() == Method::POST && (path.ends_with("/new") || path.ends_with("/rotate"));
    let Some(sealed) = dashboard.cookies.read(request, CookieName::Shown) else {
        return Ok(false);
    };
    if shows {
        return Ok(false);
    }
    let record = broker
        .open_of_browser(SHOWN, &sealed)
        .await
        .map_err(crate::broker::Error::from)?;
    if let Some(record) = record.and_then(|record| <[u8; 32]>::try_from(record.expose()).ok()) {
        broker.forget_answer(record).await?;
    }
    Ok(true)
}

/// The language and the looks that a browser asks for.
pub fn tastes(request: &HttpRequest, dashboard: &Dashboard) -> (Words, Theme) {
    let chosen = dashboard
        .cookies
        .read(request, CookieName::Language)
        .and_then(|tag| Language::of_tag(&tag));
    let language = chosen.unwrap_or_else(|| {
        let accept = request.headers().get(ACCEPT_LANGUAGE);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        Language::negotiate(accept.unwrap_or_default(), dashboard.language)
    });
    let theme = dashboard
        .cookies
        .read(request, CookieName::Theme)
        .and_then(|word| Theme::of_word(&word));
    (Words::new(language), theme.unwrap_or_default())
}
