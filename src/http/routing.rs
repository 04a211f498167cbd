//! From the rows of the routing table to actix resources: one for each path, with 405 and `Allow` for every other method.
//!
//! `GET` answers `HEAD` too (RFC 9110 §9.3.2). Paths are tried in the order of the table, so the busiest stand first.

use actix_web::Handler;
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, Responder, Route, web};

use super::access::Access;
use super::facts::Facts;
use super::problem::Problem;

/// One row of the routing table.
pub struct Endpoint {
    /// The method that it answers; of a row for any, the one that it is described by.
    pub method: Method,
    /// Whether it answers every other method too.
    any_method: bool,
    /// Its path, with `{…}` where a segment is read; `{…path}` at the end takes all the segments that are left.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    route: Route,
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        #[doc = concat!("A row for `", stringify!($method), "`.")]
        pub fn $name<F, Args>(path: &'static str, access: Access, handler: F) -> Endpoint
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            Endpoint { method: Method::$method, any_method: false, path, access, route: web::to(handler) }
        }
    )*};
}

methods! {
    get GET;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
}

/// A row for every method.
pub fn any<F, Args>(path: &'static str, access: Access, handler: F) -> Endpoint
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Endpoint {
        any_method: true,
        ..get(path, access, handler)
    }
}

/// The last segment of a path that stands for any number of them, also for an empty one.
const REST: &str = "/{path}";

/// Registers the rows, and 404 for every path that is in none.
pub fn register(endpoints: Vec<Endpoint>, config: &mut web::ServiceConfig) {
    let mut paths: Vec<(&'static str, Vec<Endpoint>)> = Vec::new();
    for endpoint in endpoints {
        match paths.iter_mut().find(|(path, _)| *path == endpoint.path) {
            Some((_, rows)) => rows.push(endpoint),
            None => paths.push((endpoint.path, vec![endpoint])),
        }
    }
    for (path, rows) in paths {
        let allow = allow(&rows);
        let pattern = match (path.strip_suffix(REST), path.strip_suffix("path}")) {
            (Some(start), _) => format!("{start}/{{path:.*}}"),
            (None, Some(start)) => format!("{start}path:.+}}"),
            (None, None) => path.to_owned(),
        };
        let resource = rows
            .into_iter()
            .fold(web::resource(pattern), |resource, row| {
                let matches = Matches {
                    method: (!row.any_method).then_some(row.method),
                    path,
                };
                resource.route(row.access.guard(row.route).guard(matches))
            });
        config.service(resource.default_service(web::to(move |facts: Facts| {
            facts.matched(path);
            let problem = Problem::method_not_allowed(allow.clone());
            async move { Err::<&'static str, Problem>(problem) }
        })));
    }
    config.default_service(web::to(|| async {
        Err::<&'static str, Problem>(Problem::not_found())
    }));
}

fn allow(rows: &[Endpoint]) -> HeaderValue {
    let mut methods: Vec<&str> = Vec::new();
    for row in rows {
        methods.push(row.method.as_str());
        if row.method == Method::GET {
            methods.push("HEAD");
        }
    }
    // Method names are visible ASCII.
    HeaderValue::try_from(methods.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether the method is the row's. actix' own method guard notes each refusal in a new allocation; this one notes the
/// pattern that matched, for the log, which actix keeps to itself.
struct Matches {
    /// None: any.
    method: Option<Method>,
    path: &'static str,
}

impl Guard for Matches {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let method = &context.head().method;
        let matches = self.method.as_ref().is_none_or(|wanted| {
            method == wanted || (*method == Method::HEAD && *wanted == Method::GET)
        });
        if matches && let Some(facts) = context.req_data().get::<Facts>() {
            facts.matched(self.path);
        }
        matches
    }
}
