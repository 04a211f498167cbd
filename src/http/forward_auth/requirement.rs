//! What a request that a gateway asks about needs: by the query that the gateway's own configuration wrote, or by the table of routes.
//!
//! Every gateway passes its client's headers on. So only the two headers of the configured gateway are read, only when a trusted proxy
//! is at the other end of the connection, and none of them can loosen what the query names.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use serde::Deserialize;

use crate::domain::gateway::{Gateway, Told};
use crate::domain::request_path::RequestPath;
use crate::domain::route_table::{Requirement, RouteTable};
use crate::http::address::TrustedProxies;
use crate::http::code::Code;
use crate::http::form;
use crate::http::problem::Problem;

/// The path that gateways ask at.
pub(super) const PATH: &str = "/forward-auth";

/// Where requirements come from.
pub struct Requirements {
    /// Which gateway asks by the table.
    pub gateway: Option<Gateway>,
    /// Whose headers are read.
    pub trusted: TrustedProxies,
    /// The routes.
    pub table: RouteTable,
}

/// What a query says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    resource: Option<String>,
    scope: Option<String>,
}

impl Requirements {
    /// Who is at the other end of the connection, if it is one of the trusted proxies.
    pub(super) fn trusted_proxy(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        self.trusted.contains(peer).then_some(peer)
    }

    /// What the request needs.
    ///
    /// # Errors
    /// 403 when nothing is meant for it, or what is meant cannot be known.
    pub(super) fn of(&self, request: &HttpRequest) -> Result<Requirement, Problem> {
        let behind = request.uri().path().strip_prefix(PATH).unwrap_or_default();
        let query = request.query_string();
        // Behind our path stand the client's own path and query: what they say has no say.
        if behind.is_empty() && !query.is_empty() {
            return by_query(query);
        }
        let told = self.gateway.map(Gateway::told);
        if self.table.is_empty() {
            return Err(misconfigured(
                "name a resource in the query, or configure routes",
            ));
        }
        if self.trusted_proxy(request).is_none() {
            return Err(misconfigured("whoever asks is none of the trusted_proxies"));
        }
        let (method, target) = match told {
            Some(Told::InHeaders { method, target }) if behind.is_empty() => {
                let headers = request.headers();
                (only(headers, method)?, only(headers, target)?)
            }
            Some(Told::ByTheRequest) if !behind.is_empty() => (request.method().as_str(), behind),
            _ => {
                return Err(misconfigured(
                    "this is not how the gateway asks that forward_auth.proxy names",
                ));
            }
        };
        let path = RequestPath::read(target)
            .map_err(|ambiguous| Problem::new(Code::AmbiguousPath, ambiguous.to_string()))?;
        let found = self.table.requirement(method, &path);
        found
            .cloned()
            .ok_or_else(|| misconfigured("no route is meant for this method and path"))
    }
}

fn by_query(query: &str) -> Result<Requirement, Problem> {
    let asked: Asked = form::read(query.as_bytes())
        .map_err(|_| misconfigured("the query is resource and scope, each at most once"))?;
    let resource = asked.resource.filter(|resource| !resource.is_empty());
    Ok(Requirement {
        resource: resource.ok_or_else(|| misconfigured("the query names no resource"))?,
        scope: asked.scope.filter(|scope| !scope.is_empty()),
    })
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let mut values = headers.get_all(name);
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(misconfigured(
            "the gateway does not say method and path, each once",
        )),
    }
}

/// 403: what the gateway asks about is not configured, or not so.
pub(super) fn misconfigured(detail: &'static str) -> Problem {
    Problem::new(Code::MisconfiguredRoute, detail)
}
