//! Problems as people see them. What is not theirs and what is not there look the same.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::Dashboard;
use super::cookies::CookieName;
use super::frame::{Frame, Loaded};
use super::language::{Text, Words};
use super::view::{Action, Block, Notice, Page, Tone, Value};
use super::visit::{POLICY, tastes};
use crate::http::error_pages::{ErrorPage, ErrorPages};
use crate::http::problem::Problem;

impl ErrorPages for Dashboard {
    fn page(
        &self,
        request: &HttpRequest,
        problem: &Problem,
        request_id: &str,
    ) -> Option<ErrorPage> {
        let path = request.path();
        let is_page = path == "/" || path == "/dashboard" || path.starts_with("/dashboard/");
        if !is_page {
            return None;
        }
        let (words, theme) = tastes(request, self);
        let frame = Frame {
            words,
            theme,
            brand: self.brand.clone(),
            assets: Loaded::from(&self.assets),
            // Nobody is known here, so its forms go nowhere: the words alone are shown.
            token: String::new(),
            here: "/dashboard".to_owned(),
            person: None,
            places: None,
            sections: Vec::new(),
            news: Vec::new(),
        };
        let has_session = self.cookies.read(request, CookieName::Session).is_some();
        let page = told(words, problem, request_id, has_session);
        Some(ErrorPage {
            // A page that cannot be rendered is told as JSON, which needs no template.
            html: page.render(&frame).ok()?,
            policy: POLICY,
        })
    }
}

fn told(words: Words, problem: &Problem, request_id: &str, has_session: bool) -> Page {
    let (title, text) = texts(words, problem.code().status(), problem.code().as_str());
    let home = Action {
        label: words.t(if has_session { "error-home" } else { "sign-in" }),
        href: "/dashboard".to_owned(),
        tone: Tone::Accent,
    };
    let id = words.one("error-request", "id", request_id);
    Page::new(title)
        .narrow()
        .block(Notice::new(Tone::Warn, text))
        .block(Block::Actions(vec![home]))
        .block(Block::Paragraph(Value::Words(id)))
}

fn texts(words: Words, status: StatusCode, code: &str) -> (Text, Text) {
    match (status.as_u16(), code) {
        (404 | 405, _) => (words.t("error-not-found"), words.t("error-not-found-text")),
        (403, _) => (words.t("error-forbidden"), words.t("error-forbidden-text")),
        (409, _) => (words.t("error-conflict"), words.t("error-conflict-text")),
        (412, _) => (words.t("error-stale"), words.t("error-stale-text")),
        (429, _) => (words.t("error-too-many"), words.t("error-too-many-text")),
        (503, _) => (
            words.t("error-unavailable"),
            words.t("error-unavailable-text"),
        ),
        (400..=499, _) => (words.t("error-bad"), words.t("error-bad-text")),
        _ => (words.t("error-internal"), words.t("error-internal-text")),
    }
}
