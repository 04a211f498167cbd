//! Whoever asks for a page of somebody who signed in is sent to sign in, and from there to where he wanted.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use actix_web::{HttpResponse, ResponseError};

use super::forgery;

/// He has to sign in first; what he wanted to see.
#[derive(Debug)]
pub struct SignInFirst(pub Option<String>);

impl std::fmt::Display for SignInFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sign in first")
    }
}

impl ResponseError for SignInFirst {
    fn status_code(&self) -> StatusCode {
        StatusCode::SEE_OTHER
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let wanted = self.0.as_deref().filter(|path| forgery::is_own_path(path));
        let to = match wanted {
            Some(path) if path != "/dashboard" => {
                let encoded: String =
                    url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
                format!("/dashboard/sign-in?return_to={encoded}")
            }
            _ => "/dashboard/sign-in".to_owned(),
        };
        HttpResponse::SeeOther()
            .insert_header((LOCATION, to))
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .finish()
    }
}
