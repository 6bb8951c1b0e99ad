//! The router against a reference that is slow and plain: any routes, in any order of registration.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use cello_kernel::{Found, Pattern, RouteConflict, RouteId, Router};
use http::Method;
use percent_encoding::percent_decode_str;

/// How many sets of routes are tried. Small ones come first, so that the first to fail is small.
const CASES: usize = 4_000;
const REQUESTS_A_CASE: usize = 40;
const LARGEST_CASE: usize = 12;

const METHODS: [Method; 3] = [Method::GET, Method::HEAD, Method::POST];
const ANSWERED: [Option<Method>; 7] = [
    Some(Method::GET),
    Some(Method::GET),
    Some(Method::HEAD),
    Some(Method::HEAD),
    Some(Method::POST),
    Some(Method::POST),
    None,
];
const TEXTS: [&str; 5] = ["a", "b", "1", "é", ""];
const BESIDE: [&str; 6] = ["", "", "", "a", "ab", "1"];
const CONSTRAINTS: [Option<&str>; 7] =
    [None, None, None, Some("int"), Some("alpha"), Some("alphanum"), Some("regex([a1/]{1,2})")];
const SENT: [&str; 14] = ["a", "b", "1", "%C3%A9", "", "a1", "1a", "-1", "ab", "aba", "%61", "a%2F", "%ff", "aab1"];

/// A segment of a route's path; what its parameter is named makes no difference.
#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Exact(&'static str),
    Parameter { prefix: &'static str, suffix: &'static str, constraint: Option<&'static str> },
    Rest { constraint: Option<&'static str> },
}

#[derive(Clone, Debug, PartialEq)]
struct Route {
    /// None where it answers every method.
    method: Option<Method>,
    segments: Vec<Segment>,
    has_slash: bool,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Route(RouteId, Vec<String>),
    Allow(String),
    Nothing,
}

/// Numbers that are as good as random, and the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn route(&mut self) -> Route {
        let mut segments: Vec<_> = (0..self.below(4))
            .map(|_| match self.below(2) {
                0 => Segment::Exact(self.one_of(&TEXTS)),
                _ => Segment::Parameter {
                    prefix: self.one_of(&BESIDE),
                    suffix: self.one_of(&BESIDE),
                    constraint: self.one_of(&CONSTRAINTS),
                },
            })
            .collect();
        if self.below(4) == 0 {
            segments.push(Segment::Rest { constraint: self.one_of(&CONSTRAINTS) });
        }
        // A segment that is empty ends only where a slash follows it.
        let has_slash = match segments.last() {
            None | Some(Segment::Rest { .. }) => false,
            Some(last) => *last == Segment::Exact("") || self.below(3) == 0,
        };
        Route { method: self.one_of(&ANSWERED), segments, has_slash }
    }

    /// A path as clients send it.
    fn sent(&mut self) -> String {
        let path: String = (0..self.below(5)).map(|_| format!("/{}", self.one_of(&SENT))).collect();
        if path.is_empty() || self.below(3) == 0 { path + "/" } else { path }
    }
}

impl Route {
    /// The path as it is written, its parameters named after a number.
    fn path(&self, number: usize) -> String {
        let mut path = String::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let spelled = |constraint: &Option<&str>| constraint.map_or(String::new(), |text| format!(":{text}"));
            path += &match segment {
                Segment::Exact(text) => format!("/{text}"),
                Segment::Parameter { prefix, suffix, constraint } => {
                    format!("/{prefix}{{p{index}_{number}{}}}{suffix}", spelled(constraint))
                }
                Segment::Rest { constraint } => format!("/{{*p{index}_{number}{}}}", spelled(constraint)),
            };
        }
        if self.has_slash || self.segments.is_empty() { path + "/" } else { path }
    }

    /// What its parameters are, if a path that was sent is one of its own.
    fn values(&self, sent: &str) -> Option<Vec<String>> {
        let (mut values, mut left) = (vec![], segments(sent));
        for segment in &self.segments {
            match *segment {
                Segment::Exact(text) => {
                    if left.is_empty() || decoded(left.remove(0)) != text {
                        return None;
                    }
                }
                Segment::Parameter { prefix, suffix, constraint } => {
                    if left.is_empty() {
                        return None;
                    }
                    let value = left.remove(0).strip_prefix(prefix)?.strip_suffix(suffix)?;
                    values.push(accepted(constraint, value)?);
                }
                Segment::Rest { constraint } => {
                    let slash = if has_slash(sent) { "/" } else { "" };
                    values.push(accepted(constraint, &(left.join("/") + if left.is_empty() { "" } else { slash }))?);
                    left.clear();
                }
            }
        }
        left.is_empty().then_some(values)
    }
}

/// Whether a slash follows the last segment.
fn has_slash(sent: &str) -> bool {
    sent != "/" && sent.ends_with('/')
}

/// The segments of a path, raw. The root has none, and what a slash at the end closes is none.
fn segments(sent: &str) -> Vec<&str> {
    let path = if has_slash(sent) { &sent[..sent.len() - 1] } else { sent };
    if sent == "/" { vec![] } else { path[1..].split('/').collect() }
}

fn decoded(raw: &str) -> String {
    percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

/// The value, decoded, if it is one.
fn accepted(constraint: Option<&str>, raw: &str) -> Option<String> {
    let value = decoded(raw);
    let is_accepted = match constraint {
        None => true,
        Some("int") => {
            let digits = value.strip_prefix('-').unwrap_or(&value);
            !digits.is_empty() && digits.chars().all(|character| character.is_ascii_digit())
        }
        Some("alpha") => value.chars().all(|character| character.is_ascii_alphabetic()),
        Some("alphanum") => value.chars().all(|character| character.is_ascii_alphanumeric()),
        Some(_) => value.len() <= 2 && value.chars().all(|character| "a1/".contains(character)),
    };
    (is_accepted && !raw.is_empty()).then_some(value)
}

/// All that match, the most exact first: compared segment by segment from the left, and if those are the same by the
/// slash at the end.
fn matching(routes: &[Route], sent: &str) -> Vec<(RouteId, Vec<String>)> {
    let mut found: Vec<_> = (0..routes.len()).filter_map(|id| Some((id, routes[id].values(sent)?))).collect();
    found.sort_by_key(|&(id, _)| {
        let route = &routes[id];
        let ranks: Vec<_> = (0..route.segments.len()).map(|index| rank(routes, &route.segments[..=index])).collect();
        (ranks, route.has_slash != has_slash(sent))
    });
    found
}

/// The rank of the last of these segments among those that can follow the others.
fn rank(routes: &[Route], segments: &[Segment]) -> (u8, Reverse<usize>, Reverse<usize>, bool, usize) {
    let first = routes.iter().position(|route| route.segments.starts_with(segments)).expect("the route itself");
    match segments.last().expect("a segment") {
        Segment::Exact(_) => (0, Reverse(0), Reverse(0), false, first),
        Segment::Parameter { prefix, suffix, constraint } => {
            (1, Reverse(prefix.len()), Reverse(suffix.len()), constraint.is_none(), first)
        }
        Segment::Rest { constraint } => (2, Reverse(0), Reverse(0), constraint.is_none(), first),
    }
}

/// The first that matches and answers the method; where there is none, the methods of all that match.
fn expected(routes: &[Route], method: &Method, sent: &str) -> Expected {
    let found = matching(routes, sent);
    if found.is_empty() {
        return Expected::Nothing;
    }
    let pattern = |id: RouteId| (&routes[id].segments, routes[id].has_slash);
    for (id, values) in &found {
        let is_beside = |method: &Method| {
            let mut others = found.iter().filter(|(other, _)| pattern(*other) == pattern(*id));
            others.any(|(other, _)| routes[*other].method.as_ref() == Some(method))
        };
        let is_head = *method == Method::HEAD;
        let answers = match &routes[*id].method {
            Some(own) => own == method || is_head && *own == Method::GET && !is_beside(&Method::HEAD),
            None => !(is_beside(method) || is_head && is_beside(&Method::GET)),
        };
        if answers {
            return Expected::Route(*id, values.clone());
        }
    }
    let mut names: Vec<_> = found.iter().filter_map(|(id, _)| Some(routes[*id].method.as_ref()?.to_string())).collect();
    if names.iter().any(|name| name == "GET") {
        names.push("HEAD".to_owned());
    }
    names.push("OPTIONS".to_owned());
    names.sort();
    names.dedup();
    Expected::Allow(names.join(", "))
}

fn found(router: &Router, method: &Method, sent: &str) -> Expected {
    match router.find(method, sent) {
        Found::Route(id, params) => {
            let values = params.iter().flat_map(|params| params.values(sent)).map(String::from).collect();
            Expected::Route(id, values)
        }
        Found::OtherMethods(allow) => Expected::Allow(allow.to_str().expect("names").to_owned()),
        Found::Nothing => Expected::Nothing,
    }
}

#[test]
fn any_routes_registered_in_any_order_answer_as_the_reference_does() {
    let mut numbers = Numbers(7);
    let mut seen = [0; 4];
    for case in 0..CASES {
        let (mut router, mut routes) = (Router::default(), Vec::<Route>::new());
        for number in 0..1 + case * LARGEST_CASE / CASES {
            let route = numbers.route();
            let pattern = Pattern::parse(&route.path(number)).expect("a path");
            let taken = routes.iter().position(|other| *other == route);
            let expected = taken.map_or(Ok(routes.len()), |taken| Err(RouteConflict(taken)));
            assert_eq!(router.add(route.method.clone(), pattern), expected, "{route:?} after {routes:?}");
            if taken.is_none() {
                routes.push(route);
            }
        }
        for _ in 0..REQUESTS_A_CASE {
            let (method, sent) = (numbers.one_of(&METHODS), numbers.sent());
            let expected = expected(&routes, &method, &sent);
            seen[match &expected {
                Expected::Route(_, values) if values.is_empty() => 0,
                Expected::Route(..) => 1,
                Expected::Allow(_) => 2,
                Expected::Nothing => 3,
            }] += 1;
            let paths: Vec<_> = routes.iter().enumerate().map(|(id, route)| (&route.method, route.path(id))).collect();
            assert_eq!(found(&router, &method, &sent), expected, "{method} {sent} of {paths:#?}");
        }
    }
    assert!(seen.iter().all(|count| *count > CASES), "each kind of answer was compared: {seen:?}");
}

#[test]
fn a_thousand_routes_are_registered_in_half_a_second() {
    let began = Instant::now();
    let mut router = Router::default();
    for number in 0..1_000 {
        let path = match number % 4 {
            0 => format!("/static/route/{number}"),
            1 => format!("/r{number}/{{id}}/x"),
            2 => format!("/r{}/{{id:int}}/{number}", number % 7),
            _ => format!("/s{number}/{{*rest}}"),
        };
        router.add(Method::GET, Pattern::parse(&path).expect("a path")).expect("a route");
    }
    // A hundred times what it takes: only work that grows with the square of the number is as slow.
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}
