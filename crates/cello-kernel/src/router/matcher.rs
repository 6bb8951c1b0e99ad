//! What a segment must be to be the value of a parameter.

use std::borrow::Cow;
use std::cmp::Reverse;

use percent_encoding::percent_decode_str;

use super::constraint::Constraint;

/// One parameter with the text beside it in its segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matcher {
    pub(super) prefix: Box<str>,
    pub(super) suffix: Box<str>,
    pub(super) constraint: Option<Constraint>,
}

impl Matcher {
    /// Where in the raw segment its value begins and ends, if it has one that is what it is constrained to be.
    pub(super) fn value(&self, segment: &str) -> Option<(usize, usize)> {
        self.span(segment).filter(|&(start, end)| {
            self.constraint.is_none() || holds(self.constraint.as_ref(), segment.get(start..end).unwrap_or_default())
        })
    }

    /// Where in the raw segment its value begins and ends, whatever it is constrained to be. No value is empty.
    pub(super) fn span(&self, segment: &str) -> Option<(usize, usize)> {
        // Most have no text beside them. To compare an empty one with the system's memcmp took 50 ns: its pointer is
        // dangling, and the processor's masked load from there, though it loads nothing, is slow.
        let mut value = segment;
        if !self.prefix.is_empty() {
            value = value.strip_prefix(&*self.prefix)?;
        }
        if !self.suffix.is_empty() {
            value = value.strip_suffix(&*self.suffix)?;
        }
        let start = self.prefix.len();
        (!value.is_empty()).then_some((start, start + value.len()))
    }

    /// Matchers at one place are tried in the order of this, equal ones in the order of registration.
    pub(super) fn order(&self) -> (Reverse<usize>, Reverse<usize>, bool) {
        (Reverse(self.prefix.len()), Reverse(self.suffix.len()), self.constraint.is_none())
    }
}

/// Whether a raw value is what it is constrained to be, once it is decoded.
pub(super) fn holds(constraint: Option<&Constraint>, raw: &str) -> bool {
    constraint.is_none_or(|constraint| constraint.holds(&decoded(raw)))
}

/// A raw value, percent-decoded; U+FFFD for what is no UTF-8.
pub(super) fn decoded(raw: &str) -> Cow<'_, str> {
    if raw.contains('%') { percent_decode_str(raw).decode_utf8_lossy() } else { Cow::Borrowed(raw) }
}
