//! Conditional requests: whether what a client has is what there is (RFC 9110 §13).

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    AsHeaderName, HeaderMap, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};
use httpdate::parse_http_date;

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// It is answered.
    Met {
        /// Whether a `Range` is of what there is: the client may have parts of something else.
        allows_range: bool,
    },
    /// The client has it: 304.
    NotModified,
    /// The client wants something else than there is: 412.
    Failed,
}

/// Judges the conditions of a GET or HEAD by the entity tag and the last change of what is there.
///
/// A field that is malformed is as if it was not there, but for a list of tags: those behind the fault do not count.
/// Source: RFC 9110 §13.2.2.
pub fn judge(asked: &HeaderMap, etag: Option<&HeaderValue>, modified: Option<SystemTime>) -> Condition {
    let tag = etag.and_then(|etag| Some(Tag::first(etag.as_bytes())?.0));
    let changed_s = modified.and_then(seconds);
    if asked.contains_key(IF_MATCH) {
        if !lists(asked, IF_MATCH, |other| tag.is_some_and(|tag| tag.is_strongly(other))) {
            return Condition::Failed;
        }
    } else if let Some((changed_s, seen_s)) = changed_s.zip(date(asked, IF_UNMODIFIED_SINCE))
        && changed_s > seen_s
    {
        return Condition::Failed;
    }
    if asked.contains_key(IF_NONE_MATCH) {
        if lists(asked, IF_NONE_MATCH, |other| tag.is_some_and(|tag| tag.opaque == other.opaque)) {
            return Condition::NotModified;
        }
    } else if let Some((changed_s, seen_s)) = changed_s.zip(date(asked, IF_MODIFIED_SINCE))
        && changed_s <= seen_s
    {
        return Condition::NotModified;
    }
    Condition::Met { allows_range: allows_range(asked, tag, changed_s) }
}

/// Whether `If-Range` names what there is, or is not there. A date has to be that of the last change to the second.
fn allows_range(asked: &HeaderMap, tag: Option<Tag<'_>>, changed_s: Option<u64>) -> bool {
    let Some(given) = asked.get(IF_RANGE) else { return true };
    match Tag::first(given.as_bytes()) {
        Some((other, b"")) => tag.is_some_and(|tag| tag.is_strongly(other)),
        Some(_) => false,
        None => changed_s.is_some() && changed_s == date(asked, IF_RANGE),
    }
}

/// An entity tag (RFC 9110 §8.8.3).
#[derive(Clone, Copy)]
struct Tag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

impl<'a> Tag<'a> {
    /// The tag that a text begins with, and what follows.
    fn first(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let weak = text.strip_prefix(b"W/");
        let inner = weak.unwrap_or(text).strip_prefix(b"\"")?;
        let end = inner.iter().position(|&byte| byte == b'"')?;
        Some((Self { is_weak: weak.is_some(), opaque: &inner[..end] }, &inner[end + 1..]))
    }

    /// The strong comparison of §8.8.3.2.
    fn is_strongly(self, other: Self) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }
}

/// Whether a list of tags has one that is meant, or is the asterisk: something is there.
fn lists(asked: &HeaderMap, name: impl AsHeaderName, is_meant: impl Fn(Tag<'_>) -> bool) -> bool {
    asked.get_all(name).iter().any(|line| {
        let mut rest = line.as_bytes().trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((tag, behind)) = Tag::first(rest) {
            if is_meant(tag) {
                return true;
            }
            let next = behind.iter().position(|byte| !b" \t,".contains(byte)).unwrap_or(behind.len());
            rest = &behind[next..];
        }
        false
    })
}

/// The date that a field is, in seconds since 1970; none where it comes twice.
fn date(asked: &HeaderMap, name: impl AsHeaderName) -> Option<u64> {
    let mut lines = asked.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    seconds(parse_http_date(line.to_str().ok()?).ok()?)
}

fn seconds(moment: SystemTime) -> Option<u64> {
    moment.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const MET: Condition = Condition::Met { allows_range: true };
    const WHOLE: Condition = Condition::Met { allows_range: false };

    /// What becomes of a request for something with the tag `"a"`, changed half a second after `THEN`.
    fn judged(fields: &[(&'static str, &'static str)]) -> Condition {
        judged_by(Some("\"a\""), fields)
    }

    fn judged_by(etag: Option<&'static str>, fields: &[(&'static str, &'static str)]) -> Condition {
        let mut asked = HeaderMap::new();
        for (name, value) in fields {
            asked.append(*name, HeaderValue::from_static(value));
        }
        let changed = parse_http_date(THEN).expect("a date") + Duration::from_millis(500);
        judge(&asked, etag.map(HeaderValue::from_static).as_ref(), Some(changed))
    }

    #[test]
    fn without_conditions_there_is_nothing_to_meet() {
        assert_eq!(judged(&[]), MET);
        assert_eq!(judge(&HeaderMap::new(), None, None), MET);
    }

    #[test]
    fn who_has_it_is_told_so_by_any_of_its_tags() {
        for tags in ["\"a\"", "W/\"a\"", "*", "\"b\", \"a\"", "\"b\",W/\"a\",\"c\"", " \"a\" ", "\"a,b\" , , \"a\""] {
            assert_eq!(judged(&[("if-none-match", tags)]), Condition::NotModified, "{tags}");
        }
        for tags in ["\"b\"", "", "a", "\"a", "\"a,b\"", "x \"a\"", "\"b\" x \"a\""] {
            assert_eq!(judged(&[("if-none-match", tags)]), MET, "{tags}");
        }
        assert_eq!(judged(&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")]), Condition::NotModified);
    }

    #[test]
    fn a_date_counts_only_where_no_tag_is_given() {
        assert_eq!(judged(&[("if-modified-since", THEN)]), Condition::NotModified);
        assert_eq!(judged(&[("if-modified-since", LATER)]), Condition::NotModified);
        assert_eq!(judged(&[("if-modified-since", BEFORE)]), MET);
        assert_eq!(judged(&[("if-modified-since", "yesterday")]), MET);
        assert_eq!(judged(&[("if-modified-since", THEN), ("if-modified-since", THEN)]), MET);
        assert_eq!(judged(&[("if-none-match", "\"b\""), ("if-modified-since", THEN)]), MET);
        assert_eq!(judged(&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)]), MET);
    }

    #[test]
    fn who_wants_something_else_fails_before_anything_else_is_looked_at() {
        assert_eq!(judged(&[("if-match", "\"b\"")]), Condition::Failed);
        assert_eq!(judged(&[("if-match", "W/\"a\"")]), Condition::Failed);
        assert_eq!(judged(&[("if-match", "*")]), MET);
        assert_eq!(judged(&[("if-match", "\"b\", \"a\"")]), MET);
        assert_eq!(judged(&[("if-unmodified-since", BEFORE)]), Condition::Failed);
        assert_eq!(judged(&[("if-unmodified-since", THEN)]), MET);
        assert_eq!(judged(&[("if-unmodified-since", "never")]), MET);
        assert_eq!(judged(&[("if-match", "\"b\""), ("if-none-match", "\"a\"")]), Condition::Failed);
        assert_eq!(judged(&[("if-match", "\"a\""), ("if-none-match", "\"a\"")]), Condition::NotModified);
    }

    #[test]
    fn parts_are_of_the_very_thing_or_not_sent() {
        for same in ["\"a\"", THEN] {
            assert_eq!(judged(&[("if-range", same)]), MET, "{same}");
        }
        for other in ["\"b\"", "W/\"a\"", BEFORE, LATER, "", "*", "\"a\", \"b\""] {
            assert_eq!(judged(&[("if-range", other)]), WHOLE, "{other}");
        }
    }

    #[test]
    fn what_has_a_weak_tag_is_only_known_to_be_much_the_same() {
        assert_eq!(judged_by(Some("W/\"a\""), &[("if-none-match", "\"a\"")]), Condition::NotModified);
        assert_eq!(judged_by(Some("W/\"a\""), &[("if-match", "W/\"a\"")]), Condition::Failed);
        assert_eq!(judged_by(Some("W/\"a\""), &[("if-range", "W/\"a\"")]), WHOLE);
    }

    #[test]
    fn without_a_tag_none_is_the_same() {
        for odd in [None, Some("a"), Some("\"a")] {
            assert_eq!(judged_by(odd, &[("if-none-match", "\"a\"")]), MET);
            assert_eq!(judged_by(odd, &[("if-match", "\"a\"")]), Condition::Failed);
            assert_eq!(judged_by(odd, &[("if-match", "*")]), MET);
            assert_eq!(judged_by(odd, &[("if-range", "\"a\"")]), WHOLE);
        }
        let mut asked = HeaderMap::new();
        asked.insert("if-modified-since", HeaderValue::from_static(LATER));
        asked.insert("if-unmodified-since", HeaderValue::from_static(BEFORE));
        assert_eq!(judge(&asked, None, None), MET);
    }
}
