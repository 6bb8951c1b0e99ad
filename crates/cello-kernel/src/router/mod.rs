//! Which route answers a method and a path.

mod candidates;
mod constraint;
mod matcher;
mod pattern;
mod tree;

use std::borrow::Cow;
use std::fmt;

use http::{HeaderValue, Method};

pub use candidates::Candidate;
pub use pattern::{PathError, Pattern};

use tree::{Node, Spans, Walk};

/// The number of a route, in order of registration from 0.
pub type RouteId = usize;

/// The number of no route: what answers where none does.
pub const NO_ROUTE: RouteId = RouteId::MAX;

/// Routes by path and method.
#[derive(Default)]
pub struct Router {
    root: Node,
    len: RouteId,
}

/// The answer to a look-up.
#[derive(Debug)]
pub enum Found {
    /// A route, and what its path's parameters matched.
    Route(RouteId, Option<Params>),
    /// The path is known, the method is not: the value of `Allow`.
    OtherMethods(HeaderValue),
    /// No route has this path.
    Nothing,
}

/// Where in the raw path the values of its parameters stand, in the order of [`Pattern::names`].
#[derive(Clone, Debug)]
pub struct Params {
    spans: Spans,
}

impl Params {
    /// The percent-decoded values, of the path they were matched in; U+FFFD for what is no UTF-8.
    pub fn values<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.spans
            .iter()
            .map(move |&(start, end)| matcher::decoded(path.get(start as usize..end as usize).unwrap_or_default()))
    }

    /// Where in the path the value of the last begins: of a catch-all the rest of the path.
    pub fn last_start(&self) -> Option<usize> {
        self.spans.last().map(|&(start, _)| start as usize)
    }
}

/// A route that answers the same requests as one before it, whose number this is.
#[derive(Debug, PartialEq)]
pub struct RouteConflict(pub RouteId);

impl fmt::Display for RouteConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {} answers the same requests", self.0)
    }
}

impl std::error::Error for RouteConflict {}

impl Router {
    /// Adds a route and returns its number. Without a method it answers every one that no other of its pattern does.
    ///
    /// # Errors
    /// A method that the same pattern has already: patterns are the same whatever their parameters are named.
    pub fn add(&mut self, method: impl Into<Option<Method>>, pattern: Pattern) -> Result<RouteId, RouteConflict> {
        let has_slash = pattern.has_slash;
        self.root.leaf(pattern).add(method.into(), has_slash, self.len).map_err(RouteConflict)?;
        self.len += 1;
        Ok(self.len - 1)
    }

    /// Finds the route of a request: of those whose pattern matches and that answer the method, the most exact.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Some(mut walk) = Walk::new(path) else { return Found::Nothing };
        let has_slash = walk.has_slash();
        let mut others = Vec::new();
        let route = walk.offer(&self.root, &mut |leaf| {
            let route = leaf.route(method, has_slash);
            if route.is_none() {
                others.extend(leaf.methods().cloned());
            }
            route
        });
        match route {
            Some(route) => Found::Route(route, (!walk.spans.is_empty()).then_some(Params { spans: walk.spans })),
            None if others.is_empty() => Found::Nothing,
            None => Found::OtherMethods(allow(&others)),
        }
    }
}

/// The methods that a path answers, HEAD and OPTIONS included, as `Allow` has them (RFC 9110 §10.2.1).
fn allow(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        let mut router = Router::default();
        for (method, path) in routes {
            add(&mut router, method, path).expect("a route");
        }
        router
    }

    fn add(router: &mut Router, method: &str, path: &str) -> Result<RouteId, RouteConflict> {
        router.add(method.parse::<Method>().expect("a method"), Pattern::parse(path).expect("a path"))
    }

    /// The route of a request, and the values of its parameters.
    fn route(router: &Router, method: Method, path: &str) -> Option<(RouteId, Vec<String>)> {
        match router.find(&method, path) {
            Found::Route(id, params) => {
                Some((id, params.map_or_else(Vec::new, |params| params.values(path).map(Cow::into_owned).collect())))
            }
            _ => None,
        }
    }

    fn get(router: &Router, path: &str) -> Option<(RouteId, Vec<String>)> {
        route(router, Method::GET, path)
    }

    fn found(id: RouteId, values: &[&str]) -> Option<(RouteId, Vec<String>)> {
        Some((id, values.iter().map(|value| (*value).to_owned()).collect()))
    }

    #[test]
    fn exact_wins_over_parameter_and_parameter_over_catch_all() {
        let router = router(&[("GET", "/{*rest}"), ("GET", "/users/{id}"), ("GET", "/users/me")]);
        assert_eq!(get(&router, "/users/me"), found(2, &[]));
        assert_eq!(get(&router, "/users/7"), found(1, &["7"]));
        assert_eq!(get(&router, "/users/7/x"), found(0, &["users/7/x"]));
        assert_eq!(get(&router, "/"), None);
    }

    #[test]
    fn a_way_that_leads_nowhere_is_gone_back() {
        let router = router(&[("GET", "/a/{x}/c"), ("GET", "/{y}/b/d"), ("GET", "/a/{*rest}")]);
        assert_eq!(get(&router, "/a/b/c"), found(0, &["b"]));
        assert_eq!(get(&router, "/a/b/d"), found(2, &["b/d"]));
        assert_eq!(get(&router, "/e/b/d"), found(1, &["e"]));
    }

    #[test]
    fn a_constraint_that_fails_leaves_the_path_to_the_next() {
        let router =
            router(&[("GET", "/{name}"), ("GET", "/{id:int}"), ("GET", "/{x:alpha}/y"), ("GET", "/{y:int}/y")]);
        assert_eq!(get(&router, "/7"), found(1, &["7"]));
        assert_eq!(get(&router, "/seven"), found(0, &["seven"]));
        assert_eq!(get(&router, "/%37"), found(1, &["7"]));
        assert_eq!(get(&router, "/7/y"), found(3, &["7"]));
        assert_eq!(get(&router, "/a7/y"), None);
    }

    #[test]
    fn text_beside_a_parameter_belongs_to_its_segment() {
        let router = router(&[("GET", "/{name}"), ("GET", "/{name}.txt"), ("GET", "/v{n:int}"), ("GET", "/v{n}.txt")]);
        assert_eq!(get(&router, "/a.txt"), found(1, &["a"]));
        assert_eq!(get(&router, "/v1.txt"), found(3, &["1"]));
        assert_eq!(get(&router, "/v12"), found(2, &["12"]));
        assert_eq!(get(&router, "/v"), found(0, &["v"]));
        assert_eq!(get(&router, "/.txt"), found(0, &[".txt"]));
    }

    #[test]
    fn a_segment_is_decoded_after_the_path_was_split() {
        let router = router(&[("GET", "/files/{name}/raw"), ("GET", "/café/%2F"), ("GET", "/{*rest}")]);
        assert_eq!(get(&router, "/files/a%20b%2Fc/raw"), found(0, &["a b/c"]));
        assert_eq!(get(&router, "/f%69les/%ff/raw"), found(0, &["\u{fffd}"]));
        assert_eq!(get(&router, "/caf%c3%a9/%2f"), found(1, &[]));
        assert_eq!(get(&router, "/café/%2F"), found(1, &[]));
        assert_eq!(get(&router, "/files%2Fa%2Fraw"), found(2, &["files/a/raw"]));
    }

    #[test]
    fn a_slash_at_the_end_matters_only_where_both_are_registered() {
        let router =
            router(&[("GET", "/a"), ("GET", "/a/"), ("POST", "/a/"), ("GET", "/b/{id}/"), ("GET", "/c/{*rest}")]);
        assert_eq!((get(&router, "/a"), get(&router, "/a/")), (found(0, &[]), found(1, &[])));
        assert_eq!(route(&router, Method::POST, "/a"), found(2, &[]));
        assert_eq!((get(&router, "/b/7"), get(&router, "/b/7/")), (found(3, &["7"]), found(3, &["7"])));
        assert_eq!((get(&router, "/c"), get(&router, "/c/")), (None, None));
        assert_eq!((get(&router, "/c/x/"), get(&router, "/c//")), (found(4, &["x/"]), found(4, &["/"])));
        assert_eq!((get(&router, "/a//"), get(&router, "//")), (None, None));
    }

    #[test]
    fn head_is_answered_by_get_and_other_methods_are_told_what_is_allowed() {
        let router = router(&[("GET", "/a"), ("POST", "/a"), ("PUT", "/{id:int}"), ("PATCH", "/{name}")]);
        assert_eq!(route(&router, Method::HEAD, "/a"), found(0, &[]));
        assert_eq!(route(&router, Method::PATCH, "/a"), found(3, &["a"]));
        let allowed = |path: &str| match router.find(&Method::DELETE, path) {
            Found::OtherMethods(allow) => allow,
            other => panic!("not what was expected: {other:?}"),
        };
        assert_eq!(allowed("/a"), "GET, HEAD, OPTIONS, PATCH, POST");
        assert_eq!(allowed("/7"), "OPTIONS, PATCH, PUT");
        for path in ["/b/c", "*", ""] {
            assert!(matches!(router.find(&Method::GET, path), Found::Nothing));
        }
    }

    #[test]
    fn a_route_without_a_method_answers_what_no_other_of_its_pattern_does() {
        let mut router = router(&[("GET", "/a"), ("POST", "/a/"), ("GET", "/a/own")]);
        let mut add_any = |path: &str| router.add(None, Pattern::parse(path).expect("a path"));
        assert_eq!((add_any("/a"), add_any("/a/{*rest}"), add_any("/a")), (Ok(3), Ok(4), Err(RouteConflict(3))));
        let unusual: Method = "PROPFIND".parse().expect("a method");
        assert_eq!((get(&router, "/a"), route(&router, Method::HEAD, "/a")), (found(0, &[]), found(0, &[])));
        let posted = |path: &str| route(&router, Method::POST, path);
        assert_eq!((posted("/a"), posted("/a/")), (found(3, &[]), found(1, &[])));
        assert_eq!(route(&router, unusual.clone(), "/a/"), found(3, &[]));
        assert_eq!((get(&router, "/a/own"), route(&router, unusual, "/a/own")), (found(2, &[]), found(4, &["own"])));
        assert_eq!(route(&router, Method::OPTIONS, "/a/x/y"), found(4, &["x/y"]));
    }

    #[test]
    fn routes_that_answer_the_same_requests_are_refused() {
        let taken = [("GET", "/a"), ("GET", "/a/{x}"), ("GET", "/{id:int}/{*rest}"), ("GET", "/caf%C3%A9")];
        let mut router = router(&taken);
        for (path, other) in [("/a", 0), ("/a/{y}", 1), ("/{n:int}/{*path}", 2), ("/café", 3)] {
            assert_eq!(add(&mut router, "GET", path), Err(RouteConflict(other)));
        }
        for (expected, path) in ["/a/", "/a/{x:int}", "/{id:alpha}/{*rest}", "/{id}/{*rest}"].into_iter().enumerate() {
            assert_eq!(add(&mut router, "GET", path), Ok(taken.len() + expected));
        }
    }
}
