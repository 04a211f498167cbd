//! The ids in a path: what is no id at all is not there, like an id of nobody.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::problem::Problem;

/// The first segment of the path that the table writes as `{…}`, read as `T`; 404 when it is none.
pub struct Id<T>(pub T);

/// The first two segments of the path that the table writes as `{…}`: a collection's owner and an item in it; 404 when one is
/// none.
pub struct Ids<A, B>(pub A, pub B);

impl<T: FromStr> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, 0).map(Self))
    }
}

impl<A: FromStr, B: FromStr> FromRequest for Ids<A, B> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, 0).and_then(|first| Ok(Self(first, segment(request, 1)?))))
    }
}

fn segment<T: FromStr>(request: &HttpRequest, index: usize) -> Result<T, Problem> {
    let segment = request.match_info().iter().nth(index);
    segment
        .and_then(|(_, text)| text.parse().ok())
        .ok_or_else(Problem::not_found)
}
