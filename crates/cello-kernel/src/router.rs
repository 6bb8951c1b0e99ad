//! Which route answers a method and a path.
//!
//! Two radix trees: the first holds exact and parameter paths, the second catch-alls (`/{*path}`), tried when the
//! first has no answer. One tree could not hold both, since it would refuse `/{id}` beside `/{*path}`.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// The number of a route, in order of registration from 0.
pub type RouteId = usize;

/// Routes by path and method.
#[derive(Default)]
pub struct Router {
    paths: matchit::Router<usize>,
    catch_alls: matchit::Router<usize>,
    leaves: Vec<Leaf>,
    len: RouteId,
}

struct Leaf {
    path: String,
    has_parameters: bool,
    routes: Vec<(Method, RouteId)>,
    allow: HeaderValue,
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

/// Where in the raw path the values of its parameters stand, in the order of [`parameter_names`].
#[derive(Clone, Debug)]
pub struct Params {
    spans: SmallVec<[(usize, usize); 2]>,
}

impl Params {
    /// The percent-decoded values, of the path they were matched in.
    pub fn values<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.spans.iter().map(move |&(start, end)| {
            let raw = path.get(start..end).unwrap_or_default();
            if raw.contains('%') { percent_decode_str(raw).decode_utf8_lossy() } else { Cow::Borrowed(raw) }
        })
    }
}

/// The names between the braces of a route's path, in their order.
pub fn parameter_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name.trim_start_matches('*'))
}

/// Two routes that answer the same requests, or a path that cannot be one.
#[derive(Debug)]
pub struct RouteConflict(String);

impl fmt::Display for RouteConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RouteConflict {}

impl Router {
    /// Adds a route and returns its number.
    ///
    /// # Errors
    /// A path that does not start with `/` or is malformed, and a method and path that are taken.
    pub fn add(&mut self, method: Method, path: &str) -> Result<RouteId, RouteConflict> {
        if !path.starts_with('/') {
            return Err(RouteConflict(format!("the path {path:?} must start with \"/\"")));
        }
        let index = match self.leaves.iter().position(|leaf| leaf.path == path) {
            Some(index) => index,
            None => self.add_leaf(path)?,
        };
        let leaf = &mut self.leaves[index];
        if leaf.routes.iter().any(|(taken, _)| *taken == method) {
            return Err(RouteConflict(format!("{method} {path} is registered twice")));
        }
        let route = self.len;
        self.len += 1;
        leaf.routes.push((method, route));
        leaf.allow = allow(&leaf.routes);
        Ok(route)
    }

    fn add_leaf(&mut self, path: &str) -> Result<usize, RouteConflict> {
        let index = self.leaves.len();
        let tree = if path.contains("{*") { &mut self.catch_alls } else { &mut self.paths };
        tree.insert(path, index).map_err(|error| RouteConflict(format!("the path {path:?}: {error}")))?;
        self.leaves.push(Leaf {
            path: path.to_owned(),
            has_parameters: parameter_names(path).next().is_some(),
            routes: Vec::new(),
            allow: HeaderValue::from_static(""),
        });
        Ok(index)
    }

    /// Finds the route of a request. HEAD is answered by a GET route that has no HEAD beside it.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Ok(matched) = self.paths.at(path).or_else(|_| self.catch_alls.at(path)) else {
            return Found::Nothing;
        };
        let leaf = &self.leaves[*matched.value];
        let of = |wanted: &Method| leaf.routes.iter().find(|(method, _)| method == wanted);
        let route = of(method).or_else(|| (*method == Method::HEAD).then(|| of(&Method::GET)).flatten());
        let Some(&(_, route)) = route else { return Found::OtherMethods(leaf.allow.clone()) };
        if !leaf.has_parameters {
            return Found::Route(route, None);
        }
        let base = path.as_ptr() as usize;
        let spans = matched.params.iter().map(|(_, value)| {
            let start = value.as_ptr() as usize - base;
            (start, start + value.len())
        });
        Found::Route(route, Some(Params { spans: spans.collect() }))
    }
}

/// The methods that a path answers, HEAD and OPTIONS included, as `Allow` has them (RFC 9110 §10.2.1).
fn allow(routes: &[(Method, RouteId)]) -> HeaderValue {
    let mut methods: Vec<&str> = routes.iter().map(|(method, _)| method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.sort_unstable();
    methods.dedup();
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        let mut router = Router::default();
        for (method, path) in routes {
            router.add(method.parse().expect("a method"), path).expect("a route");
        }
        router
    }

    fn route(router: &Router, method: Method, path: &str) -> Option<(RouteId, Vec<(String, String)>)> {
        match router.find(&method, path) {
            Found::Route(id, params) => Some((
                id,
                params.map_or_else(Vec::new, |params| {
                    let names = parameter_names(&router.leaves[id].path).map(str::to_owned);
                    names.zip(params.values(path).map(Cow::into_owned)).collect()
                }),
            )),
            _ => None,
        }
    }

    #[test]
    fn exact_wins_over_parameter_and_parameter_over_catch_all() {
        let router = router(&[("GET", "/{*rest}"), ("GET", "/users/{id}"), ("GET", "/users/me")]);
        assert_eq!(route(&router, Method::GET, "/users/me"), Some((2, vec![])));
        assert_eq!(route(&router, Method::GET, "/users/7"), Some((1, vec![("id".into(), "7".into())])));
        let rest = vec![("rest".into(), "users/7/x".into())];
        assert_eq!(route(&router, Method::GET, "/users/7/x"), Some((0, rest)));
    }

    #[test]
    fn a_parameter_is_decoded_after_it_was_matched() {
        let router = router(&[("GET", "/files/{name}/raw")]);
        let found = route(&router, Method::GET, "/files/a%20b%2Fc/raw");
        assert_eq!(found, Some((0, vec![("name".into(), "a b/c".into())])));
    }

    #[test]
    fn head_is_answered_by_get_and_other_methods_are_told_what_is_allowed() {
        let router = router(&[("GET", "/a"), ("POST", "/a")]);
        assert_eq!(route(&router, Method::HEAD, "/a"), Some((0, vec![])));
        let Found::OtherMethods(allow) = router.find(&Method::DELETE, "/a") else { panic!("a route answered") };
        assert_eq!(allow, "GET, HEAD, OPTIONS, POST");
        assert!(matches!(router.find(&Method::GET, "/b"), Found::Nothing));
    }

    #[test]
    fn the_same_method_and_path_twice_is_refused() {
        let mut router = router(&[("GET", "/a")]);
        let error = router.add(Method::GET, "/a").expect_err("a conflict");
        assert_eq!(error.to_string(), "GET /a is registered twice");
        assert!(router.add(Method::GET, "a").is_err());
    }
}
