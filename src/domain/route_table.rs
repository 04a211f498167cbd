//! Which requests of an API need what: method and path pattern → resource and scope. What a gateway asks about is looked up here.
//!
//! One path belongs to one pattern, the most specific one, whatever the order of the routes; a method that the pattern does not list is
//! no route. So a broad pattern never lets through what a narrow one keeps out.

use std::fmt;

use serde::Deserialize;

use super::request_path::RequestPath;
use super::resource::ResourceIdentifier;
use super::scope::ScopeToken;

/// One route, as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The methods: `["GET", "POST"]`, or `["*"]` for all. `GET` is `HEAD` too.
    pub methods: Vec<String>,
    /// The pattern: `/payments/{id}` (one segment), `/files/{*rest}` (everything below).
    pub path: String,
    /// The resource that the caller must hold permissions at.
    pub resource: ResourceIdentifier,
    /// The scopes that he must hold there, all of them; none: any permission will do.
    #[serde(default)]
    pub scopes: Vec<ScopeToken>,
}

/// What a caller must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Where; the audience of the token.
    pub resource: String,
    /// What, separated by spaces; none: whatever he holds there.
    pub scope: Option<String>,
}

/// The table.
#[derive(Clone, Default)]
pub struct RouteTable {
    patterns: matchit::Router<Vec<(Methods, Requirement)>>,
    length: usize,
}

#[derive(Clone, Debug)]
enum Methods {
    All,
    These(Vec<String>),
}

/// A path that no route may begin with: it would match nothing that has one reading.
const AMBIGUOUS: &str = "can match no path that has only one reading";

impl RouteTable {
    /// The table of these routes.
    ///
    /// # Errors
    /// In words, which route cannot be and why.
    pub fn new(routes: &[Route]) -> Result<Self, String> {
        let mut paths: Vec<(&str, Vec<(Methods, Requirement)>)> = Vec::new();
        for route in routes {
            let fault = |why: &str| format!("the route {} {why}", route.path);
            let methods = Methods::read(&route.methods).map_err(|why| fault(&why))?;
            if RequestPath::read(&route.path.replace(['{', '}', '*'], "")).is_err() {
                return Err(fault(AMBIGUOUS));
            }
            let requirement = Requirement {
                resource: route.resource.as_str().to_owned(),
                scope: (!route.scopes.is_empty()).then(|| {
                    let scopes: super::scope::ScopeSet = route.scopes.iter().cloned().collect();
                    scopes.to_string()
                }),
            };
            let rows = match paths.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, rows)) => rows,
                None => {
                    paths.push((&route.path, Vec::new()));
                    let (_, rows) = paths.last_mut().ok_or_else(|| fault("is lost"))?;
                    rows
                }
            };
            if let Some(twice) = rows.iter().find_map(|(other, _)| methods.shared(other)) {
                return Err(fault(&format!("is there twice for {twice}")));
            }
            rows.push((methods, requirement));
        }
        let mut patterns = matchit::Router::new();
        for (path, rows) in paths {
            let inserted = patterns.insert(path, rows);
            inserted.map_err(|error| format!("the route {path}: {error}"))?;
        }
        Ok(Self {
            patterns,
            length: routes.len(),
        })
    }

    /// How many routes are in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What a request needs; none: no route is meant for it.
    pub fn requirement(&self, method: &str, path: &RequestPath) -> Option<&Requirement> {
        let rows = self.patterns.at(path.as_str()).ok()?.value;
        rows.iter()
            .find_map(|(methods, requirement)| methods.have(method).then_some(requirement))
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} routes", self.length)
    }
}

impl Methods {
    fn read(methods: &[String]) -> Result<Self, String> {
        match methods {
            [] => Err("names no method".to_owned()),
            [all] if all == "*" => Ok(Self::All),
            methods => match methods.iter().find(|method| !is_method(method)) {
                Some(wrong) => Err(format!("names {wrong:?}, which is no method in capitals")),
                None => Ok(Self::These(methods.to_vec())),
            },
        }
    }

    fn have(&self, method: &str) -> bool {
        match self {
            Self::All => true,
            // Whoever may have the answer may have its head (RFC 9110 §9.3.2).
            Self::These(these) => these
                .iter()
                .any(|this| this == method || (method == "HEAD" && this == "GET")),
        }
    }

    /// A method that both have.
    fn shared<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let listed = |methods: &'a Self| match methods {
            Self::All => [].iter(),
            Self::These(these) => these.iter(),
        };
        match (self, other) {
            (Self::All, Self::All) => Some("*"),
            _ => listed(self)
                .filter(|method| other.have(method))
                .chain(listed(other).filter(|method| self.have(method)))
                .map(String::as_str)
                .next(),
        }
    }
}

fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(methods: &[&str], path: &str, scopes: &[&str]) -> Route {
        Route {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            path: path.to_owned(),
            resource: "https://payment.example.com/api".parse().unwrap(),
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        }
    }

    fn scope<'a>(table: &'a RouteTable, method: &str, path: &str) -> Option<&'a str> {
        let path = RequestPath::read(path).unwrap();
        table.requirement(method, &path)?.scope.as_deref()
    }

    #[test]
    fn the_most_specific_pattern_decides_whatever_the_order() {
        let mut routes = vec![
            route(&["*"], "/{*rest}", &["admin"]),
            route(&["GET"], "/payments", &["read:payment"]),
            route(
                &["POST", "PUT"],
                "/payments",
                &["write:payment", "read:payment"],
            ),
            route(&["GET"], "/payments/{id}", &["read:payment"]),
            route(&["GET"], "/payments/export", &["export"]),
        ];
        for _ in 0..2 {
            let table = RouteTable::new(&routes).unwrap();
            assert_eq!(scope(&table, "GET", "/payments"), Some("read:payment"));
            assert_eq!(scope(&table, "HEAD", "/payments"), Some("read:payment"));
            assert_eq!(
                scope(&table, "PUT", "/payments"),
                Some("read:payment write:payment")
            );
            assert_eq!(scope(&table, "GET", "/payments/7"), Some("read:payment"));
            assert_eq!(scope(&table, "GET", "/payments/export"), Some("export"));
            assert_eq!(scope(&table, "GET", "/payments/7/lines"), Some("admin"));
            assert_eq!(scope(&table, "GET", "/other"), Some("admin"));
            for (method, path) in [
                ("DELETE", "/payments"),
                ("POST", "/payments/export"),
                ("get", "/payments"),
            ] {
                assert_eq!(scope(&table, method, path), None, "{method} {path}");
            }
            routes.reverse();
        }
    }

    #[test]
    fn a_route_that_cannot_be_is_named() {
        for (routes, why) in [
            (vec![route(&[], "/a", &[])], "names no method"),
            (vec![route(&["get"], "/a", &[])], "no method in capitals"),
            (
                vec![route(&["*", "GET"], "/a", &[])],
                "no method in capitals",
            ),
            (vec![route(&["GET"], "a", &[])], AMBIGUOUS),
            (vec![route(&["GET"], "/a//b", &[])], AMBIGUOUS),
            (vec![route(&["GET"], "/a/../b", &[])], AMBIGUOUS),
            (
                vec![route(&["GET"], "/a", &[]), route(&["GET"], "/a", &[])],
                "twice for GET",
            ),
            (
                vec![route(&["GET"], "/a", &[]), route(&["HEAD"], "/a", &[])],
                "twice for HEAD",
            ),
            (
                vec![route(&["*"], "/a", &[]), route(&["POST"], "/a", &[])],
                "twice for POST",
            ),
            (
                vec![route(&["GET"], "/{a}", &[]), route(&["GET"], "/{b}", &[])],
                "the route",
            ),
        ] {
            let error = RouteTable::new(&routes).err().unwrap_or_default();
            assert!(error.contains(why), "{error:?} is not {why:?}");
        }
        assert!(RouteTable::new(&[]).unwrap().is_empty());
    }
}
