//! What the router considers for a path, told to whoever asks why a request comes to its route. No request comes here.

use percent_encoding::percent_decode_str;

use super::constraint::Constraint;
use super::matcher::{decoded, holds};
use super::tree::{Leaf, Node};
use super::{RouteId, Router};

/// A route whose path matches, but for its constraints, whatever its method is.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its number.
    pub route: RouteId,
    /// The percent-decoded values of its parameters, in their order.
    pub values: Vec<String>,
    /// Which of these are not what they are constrained to be.
    pub refused: Vec<usize>,
}

impl Router {
    /// The routes whose paths match, in the order in which they are considered; a refused one is passed over.
    pub fn candidates(&self, path: &str) -> Vec<Candidate> {
        let Some(rest) = path.strip_prefix('/') else { return Vec::new() };
        let has_slash = rest.ends_with('/');
        let end = path.len() - usize::from(has_slash);
        let mut look = Look { path, end, has_slash, values: Vec::new(), refused: Vec::new(), found: Vec::new() };
        look.visit(&self.root, if rest.is_empty() { 2 } else { 1 });
        look.found
    }

    /// All routes, the more exact of those that may match the same path before the others; texts by their bytes.
    pub fn order(&self) -> Vec<RouteId> {
        let mut routes = Vec::with_capacity(self.len);
        gather(&self.root, &mut routes);
        routes
    }
}

fn gather(node: &Node, routes: &mut Vec<RouteId>) {
    routes.extend(node.leaf.entries.iter().map(|entry| entry.route));
    let mut exact: Vec<_> = node.exact.iter().collect();
    exact.sort_unstable_by_key(|(text, _)| *text);
    for next in exact.into_iter().map(|(_, next)| next).chain(node.parameters.iter().map(|(_, next)| next)) {
        gather(next, routes);
    }
    for (_, leaf) in &node.rests {
        routes.extend(leaf.entries.iter().map(|entry| entry.route));
    }
}

/// A path on its way through the whole tree.
struct Look<'p> {
    path: &'p str,
    end: usize,
    has_slash: bool,
    values: Vec<String>,
    refused: Vec<usize>,
    found: Vec<Candidate>,
}

impl<'p> Look<'p> {
    /// Goes where a request goes, and further: nothing is taken, and no constraint stands in the way.
    fn visit(&mut self, node: &Node, start: usize) {
        if start > self.end {
            return self.note(&node.leaf);
        }
        let path = self.path;
        let rest = &path[start..self.end];
        let end = start + rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        let segment = &path[start..end];
        let text: Vec<u8> = percent_decode_str(segment).collect();
        if let Some(next) = node.exact.get(&*text) {
            self.visit(next, end + 1);
        }
        for (matcher, next) in &node.parameters {
            if let Some((from, to)) = matcher.span(segment) {
                self.within(&segment[from..to], matcher.constraint.as_ref(), |look| look.visit(next, end + 1));
            }
        }
        for (constraint, leaf) in &node.rests {
            self.within(&path[start..], constraint.as_ref(), |look| look.note(leaf));
        }
    }

    fn within(&mut self, raw: &'p str, constraint: Option<&Constraint>, go_on: impl FnOnce(&mut Self)) {
        let refused = self.refused.len();
        if !holds(constraint, raw) {
            self.refused.push(self.values.len());
        }
        self.values.push(decoded(raw).into_owned());
        go_on(self);
        self.values.pop();
        self.refused.truncate(refused);
    }

    fn note(&mut self, leaf: &Leaf) {
        for has_slash in [self.has_slash, !self.has_slash] {
            for entry in leaf.entries.iter().filter(|entry| entry.has_slash == has_slash) {
                let (values, refused) = (self.values.clone(), self.refused.clone());
                self.found.push(Candidate { route: entry.route, values, refused });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::router::{Found, Pattern};

    const PATHS: &[&str] = &[
        "/{*rest}",
        "/users/{name}",
        "/users/{id:int}",
        "/users/me",
        "/users/me/",
        "/users/{id:uuid}",
        "/users/v{n}",
        "/{any}/7/",
        "/",
        "/{*rest:int}",
    ];

    fn router() -> Router {
        let mut router = Router::default();
        for path in PATHS {
            router.add(Method::GET, Pattern::parse(path).expect("a path")).expect("a route");
        }
        router
    }

    #[test]
    fn the_first_candidate_that_nothing_refuses_is_the_route_that_is_found() {
        let router = router();
        let mut asked = 0;
        for path in ["/", "/users/me", "/users/me/", "/users/7", "/users/7/", "/users/v7", "/users/%37", "/7", "/a//b"]
        {
            let first = router.candidates(path).into_iter().find(|candidate| candidate.refused.is_empty());
            let (route, values) = match router.find(&Method::GET, path) {
                Found::Route(route, params) => {
                    let values = params.iter().flat_map(|params| params.values(path)).map(String::from).collect();
                    (route, values)
                }
                other => panic!("{path} has no route: {other:?}"),
            };
            assert_eq!(first, Some(Candidate { route, values, refused: Vec::new() }), "{path}");
            asked += 1;
        }
        assert_eq!(asked, 9);
        assert_eq!(router.candidates("*"), []);
    }

    #[test]
    fn candidates_are_told_in_their_order_and_with_what_refused_them() {
        let told: Vec<_> = router().candidates("/users/me").into_iter().map(|one| (one.route, one.refused)).collect();
        let none = Vec::new;
        assert_eq!(
            told,
            [(3, none()), (4, none()), (2, vec![0]), (5, vec![0]), (1, none()), (9, vec![0]), (0, none())]
        );
    }

    #[test]
    fn all_routes_have_a_place_in_the_order() {
        assert_eq!(router().order(), [8, 3, 4, 6, 2, 5, 1, 7, 9, 0]);
    }
}
