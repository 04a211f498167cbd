//! Language and looks, kept by the browser.

use actix_web::HttpResponse;

use super::cookies::CookieName;
use super::forgery::is_own_path;
use super::frame::Theme;
use super::language::Language;
use super::visit::VisitorForm;

/// Keeps what was chosen.
pub async fn set(form: VisitorForm) -> HttpResponse {
    let VisitorForm { visitor, fields } = form;
    let back = Some(fields.raw("return_to")).filter(|path| is_own_path(path));
    let cookies = visitor.dashboard.cookies;
    let mut response = visitor.redirecting(back.unwrap_or("/dashboard"));
    if let Some(language) = Language::of_tag(fields.raw("language")) {
        response.cookie(cookies.set(CookieName::Language, language.tag()));
    }
    if let Some(theme) = Theme::of_word(fields.raw("theme")) {
        response.cookie(cookies.set(CookieName::Theme, theme.as_str()));
    }
    response.finish()
}
