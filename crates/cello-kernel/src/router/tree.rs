//! The tree of segments that routes stand in, and how it is walked.
//!
//! What matches a path is found in one order, whatever was registered first: segment by segment from the left, exact
//! text before a parameter, that before a catch-all. A way that leads nowhere is gone back. Each node can only be come
//! to once in a walk, since the path to it names the segments it takes: no request costs more than the tree is large.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::RouteId;
use super::constraint::Constraint;
use super::matcher::{Matcher, holds};
use super::pattern::{Pattern, Segment};

/// Where in a raw path values stand: start and end of each.
pub(super) type Spans = SmallVec<[(u32, u32); 4]>;

/// What may follow the segments that lead to it.
#[derive(Default)]
pub(super) struct Node {
    /// Its hash is a quick one: no client adds a key.
    pub(super) exact: FxHashMap<Box<[u8]>, Node>,
    /// In the order in which they are tried.
    pub(super) parameters: Vec<(Matcher, Node)>,
    /// In the order in which they are tried.
    pub(super) rests: Vec<(Option<Constraint>, Leaf)>,
    pub(super) leaf: Leaf,
}

/// The routes of one pattern.
#[derive(Default)]
pub(super) struct Leaf {
    pub(super) entries: Vec<Entry>,
}

pub(super) struct Entry {
    /// None of a route that answers every method.
    method: Option<Method>,
    pub(super) has_slash: bool,
    pub(super) route: RouteId,
}

impl Leaf {
    /// Adds a route, or returns the one that has its place.
    pub(super) fn add(&mut self, method: Option<Method>, has_slash: bool, route: RouteId) -> Result<(), RouteId> {
        if let Some(taken) = self.entries.iter().find(|entry| entry.method == method && entry.has_slash == has_slash) {
            return Err(taken.route);
        }
        self.entries.push(Entry { method, has_slash, route });
        Ok(())
    }

    /// The route of a method: one written with a slash at the end, or without, as the path has it, or else the other.
    /// HEAD is answered by a GET route that has no HEAD beside it, and what none of them answers by one for every method.
    pub(super) fn route(&self, method: &Method, has_slash: bool) -> Option<RouteId> {
        let of = |wanted: Option<&Method>, has_slash: bool| {
            let mut entries = self.entries.iter();
            entries
                .find(|entry| entry.has_slash == has_slash && entry.method.as_ref() == wanted)
                .map(|entry| entry.route)
        };
        let of = |has_slash| {
            of(Some(method), has_slash)
                .or_else(|| (*method == Method::HEAD).then(|| of(Some(&Method::GET), has_slash)).flatten())
                .or_else(|| of(None, has_slash))
        };
        of(has_slash).or_else(|| of(!has_slash))
    }

    /// The methods of its routes, but of those that answer every one.
    pub(super) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.entries.iter().filter_map(|entry| entry.method.as_ref())
    }
}

impl Node {
    /// The leaf of a pattern, made if it is not there.
    pub(super) fn leaf(&mut self, pattern: Pattern) -> &mut Leaf {
        let mut node = self;
        for segment in pattern.segments {
            node = match segment {
                Segment::Exact(text) => node.exact.entry(text).or_default(),
                Segment::Parameter(matcher) => node.parameter(matcher),
                Segment::Rest(constraint) => return node.rest(constraint),
            };
        }
        &mut node.leaf
    }

    fn parameter(&mut self, matcher: Matcher) -> &mut Self {
        let index = self.parameters.iter().position(|(known, _)| *known == matcher).unwrap_or_else(|| {
            let index = self.parameters.partition_point(|(known, _)| known.order() <= matcher.order());
            self.parameters.insert(index, (matcher, Self::default()));
            index
        });
        &mut self.parameters[index].1
    }

    fn rest(&mut self, constraint: Option<Constraint>) -> &mut Leaf {
        let index = self.rests.iter().position(|(known, _)| *known == constraint).unwrap_or_else(|| {
            let index = self.rests.partition_point(|(known, _)| known.is_none() <= constraint.is_none());
            self.rests.insert(index, (constraint, Leaf::default()));
            index
        });
        &mut self.rests[index].1
    }
}

/// A path on its way through the tree.
pub(super) struct Walk<'p> {
    path: &'p str,
    /// Where the last segment ends: before the slash that the path ends with, if it does.
    end: usize,
    has_slash: bool,
    is_encoded: bool,
    /// What the parameters matched on the way so far.
    pub(super) spans: Spans,
}

impl<'p> Walk<'p> {
    /// None for what is no path: the target of `OPTIONS *` or CONNECT.
    pub(super) fn new(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        let has_slash = rest.ends_with('/');
        let end = path.len() - usize::from(has_slash);
        Some(Self { path, end, has_slash, is_encoded: path.contains('%'), spans: Spans::new() })
    }

    pub(super) fn has_slash(&self) -> bool {
        self.has_slash
    }

    /// Offers each leaf that matches to `take`, the most exact first, until it takes one.
    pub(super) fn offer<T>(&mut self, root: &Node, take: &mut impl FnMut(&Leaf) -> Option<T>) -> Option<T> {
        // The root has no segment, not an empty one.
        self.visit(root, if self.path.len() == 1 { 2 } else { 1 }, take)
    }

    /// Goes on at a node, with the segment that starts at `start`.
    fn visit<T>(&mut self, node: &Node, start: usize, take: &mut impl FnMut(&Leaf) -> Option<T>) -> Option<T> {
        if start > self.end {
            return take(&node.leaf);
        }
        let path = self.path;
        let rest = &path[start..self.end];
        let end = start + rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        let segment = &path[start..end];
        if !node.exact.is_empty()
            && let Some(next) = node.exact.get(&*self.decoded(segment))
            && let Some(taken) = self.visit(next, end + 1, take)
        {
            return Some(taken);
        }
        for (matcher, next) in &node.parameters {
            let Some((from, to)) = matcher.value(segment) else { continue };
            self.spans.push(span(start + from, start + to));
            if let Some(taken) = self.visit(next, end + 1, take) {
                return Some(taken);
            }
            self.spans.pop();
        }
        // Never empty: the segment is, at the least, followed by the slash that the path ends with.
        let rest = &path[start..];
        for (constraint, leaf) in &node.rests {
            if !holds(constraint.as_ref(), rest) {
                continue;
            }
            self.spans.push(span(start, path.len()));
            if let Some(taken) = take(leaf) {
                return Some(taken);
            }
            self.spans.pop();
        }
        None
    }

    fn decoded(&self, segment: &'p str) -> Cow<'p, [u8]> {
        if self.is_encoded { percent_decode_str(segment).into() } else { Cow::Borrowed(segment.as_bytes()) }
    }
}

/// No request has a path of 4 GiB: its length is limited before it is routed.
fn span(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}
