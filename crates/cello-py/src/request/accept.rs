//! What a client would rather have: negotiation by the `Accept` field.
//!
//! Source: RFC 9110 §12.4.2 (weights) and §12.5.1 (Accept).

use std::borrow::Cow;

use cello_kernel::Exchange;
use http::header::ACCEPT;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::headers::text;

/// Short names of what is asked for most.
const SHORT: [(&str, &str); 4] =
    [("html", "text/html"), ("json", "application/json"), ("text", "text/plain"), ("xml", "application/xml")];

/// A media type that can be offered.
pub(super) struct Offer<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, Cow<'a, str>)>,
}

/// How welcome an offer is: the weight, then how exactly it was named. Both count up from what is least wanted.
type Welcome = (f32, usize);

impl<'a> Offer<'a> {
    /// Parses a media type, or one of the short names.
    ///
    /// # Errors
    /// ValueError for what is neither, and for a range.
    pub(super) fn parse(name: &'a str) -> PyResult<Self> {
        let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        Self::from_range(name).filter(|offer| offer.kind != "*" && offer.subtype != "*").ok_or_else(|| {
            let short = SHORT.map(|(short, _)| short).join(", ");
            PyValueError::new_err(format!("{name:?} is no media type: use one such as image/png, or one of {short}"))
        })
    }

    /// Parses `type/subtype` and its parameters, of which either may be `*`.
    fn from_range(range: &'a str) -> Option<Self> {
        let mut parts = split(range, b';');
        let name = parts.next()?.trim();
        // Some clients write `*` for `*/*`.
        let (kind, subtype) = if name == "*" { ("*", "*") } else { name.split_once('/')? };
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let parameters = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim(), unquote(value.trim())))
        });
        Some(Self { kind, subtype, parameters: parameters.collect() })
    }

    /// How exactly a range names this offer; None where it does not.
    fn matches(&self, range: &Self) -> Option<usize> {
        let is_same = |wanted: &str, own: &str| wanted.eq_ignore_ascii_case(own);
        let has = |wanted: &(&str, Cow<'_, str>)| {
            self.parameters.iter().any(|own| is_same(wanted.0, own.0) && is_same(&wanted.1, &own.1))
        };
        match (range.kind, range.subtype) {
            ("*", "*") => Some(0),
            (kind, "*") => is_same(kind, self.kind).then_some(1),
            (kind, subtype) => {
                (is_same(kind, self.kind) && is_same(subtype, self.subtype) && range.parameters.iter().all(has))
                    .then_some(2 + range.parameters.len())
            }
        }
    }
}

/// What a client accepts: ranges with their weights. With none that is well-formed, everything.
pub(super) struct Accepted<'a>(Vec<(Offer<'a>, f32)>);

/// The `Accept` fields as one.
pub(super) fn accept_of(exchange: &Exchange) -> Cow<'_, str> {
    let mut lines = exchange.head.headers.get_all(ACCEPT).iter();
    let first = lines.next().map(text).unwrap_or_default();
    lines.fold(first, |all, line| Cow::Owned(format!("{all},{}", text(line))))
}

impl<'a> Accepted<'a> {
    pub(super) fn parse(accept: &'a str) -> Self {
        let range = |item: &'a str| {
            let mut range = Offer::from_range(item)?;
            let weight = range.parameters.iter().position(|(name, _)| name.eq_ignore_ascii_case("q"));
            let Some(weight) = weight else { return Some((range, 1.0)) };
            // What follows the weight is no parameter of the type.
            let (_, value) = range.parameters.drain(weight..).next()?;
            Some((range, value.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?))
        };
        Self(split(accept, b',').filter_map(range).collect())
    }

    /// How welcome an offer is, by the range that names it most exactly; None where it is not acceptable.
    pub(super) fn welcome(&self, offer: &Offer<'_>) -> Option<Welcome> {
        if self.0.is_empty() {
            return Some((1.0, 0));
        }
        let named = self.0.iter().filter_map(|(range, weight)| Some((offer.matches(range)?, *weight)));
        let (exactness, weight) = named.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        (weight > 0.0).then_some((weight, exactness))
    }
}

/// Splits at a separator that stands outside of quotes.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let is_end = !is_quoted && byte == separator;
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = is_quoted,
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            is_end
        });
        let piece = end.map_or(text, |end| &text[..end]);
        rest = end.map(|end| &text[end + 1..]);
        Some(piece)
    })
}

fn unquote(value: &str) -> Cow<'_, str> {
    let Some(quoted) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    if !quoted.contains('\\') {
        return Cow::Borrowed(quoted);
    }
    let mut plain = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(plain)
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
