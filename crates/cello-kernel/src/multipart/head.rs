//! The header fields of one part, and what they say of it.

use std::borrow::Cow;

use memchr::memmem;

use super::{filename, parameters};
use crate::form::FormError;

/// What a part says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PartHead {
    /// The name of the form's field.
    pub name: String,
    /// The name of the file: `None` where the part is no file, empty where nothing of its name can be kept.
    pub filename: Option<String>,
    /// The `Content-Type`, as it was sent.
    pub content_type: Option<String>,
}

/// Reads a head without the blank line at its end; `at` is its place in the body.
pub(super) fn parse(head: &[u8], at: u64, fields_limit: usize) -> Result<PartHead, FormError> {
    let (mut disposition, mut content_type) = (None, None);
    for (index, (from, field)) in fields(head).enumerate() {
        let at = at + from as u64;
        if index == fields_limit {
            return Err(FormError::TooLarge(format!("a part has more than {fields_limit} header fields")));
        }
        let (name, value) = split(field).map_err(|detail| FormError::malformed(detail, at))?;
        let known = if name.eq_ignore_ascii_case(b"content-disposition") {
            &mut disposition
        } else if name.eq_ignore_ascii_case(b"content-type") {
            &mut content_type
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            check_encoding(&text(value), at)?;
            continue;
        } else {
            continue;
        };
        if known.replace((text(value), at)).is_some() {
            let name = String::from_utf8_lossy(name);
            return Err(FormError::malformed(&format!("a part has two header fields {name}"), at));
        }
    }
    let Some((disposition, disposition_at)) = disposition else {
        return Err(FormError::malformed("a part has no header field Content-Disposition", at));
    };
    let content_type = content_type.map(|(value, _)| value.into_owned());
    let head = dispose(&disposition).map_err(|detail| FormError::malformed(detail, disposition_at))?;
    Ok(PartHead { content_type, ..head })
}

/// The fields with their places, continuation lines included (RFC 5322 §2.2.3).
fn fields(head: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let begin = from;
        if begin >= head.len() {
            return None;
        }
        for end in memmem::find_iter(&head[begin..], b"\r\n").map(|end| begin + end) {
            if !matches!(head.get(end + 2), Some(b' ' | b'\t')) {
                from = end + 2;
                return Some((begin, &head[begin..end]));
            }
        }
        from = head.len();
        Some((begin, &head[begin..]))
    })
}

/// Name and value of a field.
fn split(field: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let colon = memchr::memchr(b':', field).ok_or("a part has a header field without a colon")?;
    let (name, value) = (&field[..colon], &field[colon + 1..]);
    if name.is_empty() || !name.iter().all(|&byte| is_token_byte(byte)) {
        return Err("a part has a header field whose name is none (RFC 9110 §5.1)");
    }
    let mut ends = memmem::find_iter(value, b"\r\n").flat_map(|end| [end, end + 1]).peekable();
    for at in memchr::memchr3_iter(b'\r', b'\n', 0, value) {
        if ends.next_if_eq(&at).is_none() {
            return Err("a part has a header field with a NUL, or a CR or LF that ends no line");
        }
    }
    Ok((name, value))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A value as text: UTF-8, what is none replaced; continuation lines joined.
fn text(value: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(value.trim_ascii()) {
        text if text.contains("\r\n") => Cow::Owned(text.replace("\r\n", "")),
        text => text,
    }
}

/// Content as it is, or a refusal: to hand out what is encoded as if it were not would be worse (RFC 7578 §4.7).
fn check_encoding(encoding: &str, at: u64) -> Result<(), FormError> {
    if ["binary", "8bit", "7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain)) {
        return Ok(());
    }
    Err(FormError::malformed("a part has a Content-Transfer-Encoding other than binary, 8bit or 7bit", at))
}

/// What a `Content-Disposition` says. `filename*` goes before `filename`, though RFC 7578 §4.2 forbids it: clients
/// send it.
fn dispose(disposition: &str) -> Result<PartHead, &'static str> {
    let (kind, parameters) = parameters::split(disposition);
    if !kind.eq_ignore_ascii_case("form-data") {
        return Err("a part has a Content-Disposition other than form-data");
    }
    let (mut name, mut filename) = (Named::default(), Named::default());
    for parameter in parameters {
        let (key, value) = parameter.map_err(|_| "a part has a Content-Disposition whose parameters cannot be read")?;
        let (key, is_extended) = key.strip_suffix('*').map_or((key, false), |key| (key, true));
        let named = match key {
            _ if key.eq_ignore_ascii_case("name") => &mut name,
            _ if key.eq_ignore_ascii_case("filename") => &mut filename,
            _ => continue,
        };
        if !named.note(value, is_extended) {
            return Err("a part has a Content-Disposition with the same parameter twice");
        }
    }
    let name = name.choose().ok_or("a part has a Content-Disposition without a name")?;
    let filename = filename.choose().map(|filename| filename::clean(&filename));
    Ok(PartHead { name, filename, content_type: None })
}

/// A parameter in its plain and its extended form.
#[derive(Default)]
struct Named {
    plain: Option<String>,
    extended: Option<(String, bool)>,
}

impl Named {
    /// Whether this form of it was not there before.
    fn note(&mut self, value: Cow<'_, str>, is_extended: bool) -> bool {
        if is_extended {
            self.extended.replace(parameters::extended(&value)).is_none()
        } else {
            self.plain.replace(parameters::unescape(value)).is_none()
        }
    }

    fn choose(self) -> Option<String> {
        match self.extended {
            Some((text, is_exact)) if is_exact || self.plain.is_none() => Some(text),
            _ => self.plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<PartHead, FormError> {
        parse(text.as_bytes(), 100, 4)
    }

    fn named(name: &str, filename: Option<&str>) -> PartHead {
        PartHead { name: name.to_owned(), filename: filename.map(str::to_owned), content_type: None }
    }

    #[test]
    fn a_head_gives_name_filename_and_type() {
        let found = head(
            "X-Other: 1\r\ncOnTENT-disposition:form-data; name=\"a;b\"; filename=\"C:\\x\\ü%22☺.txt\"\r\n\
             Content-Type:  text/plain; charset=utf-8 ",
        );
        let expected = PartHead {
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            ..named("a;b", Some("ü\"☺.txt"))
        };
        assert_eq!(found.expect("a head"), expected);
    }

    #[test]
    fn lines_that_begin_with_a_blank_continue_the_field() {
        let found = head("Content-Disposition: form-data;\r\n name=\"a\";\r\n\tfilename=b\r\nX: y\r\n z");
        assert_eq!(found.expect("a head"), named("a", Some("b")));
    }

    #[test]
    fn an_extended_filename_goes_before_a_plain_one_where_it_can_be_read() {
        let disposition =
            |rest: &str| head(&format!("Content-Disposition: form-data; name=a; {rest}")).expect("a head");
        assert_eq!(disposition("filename=x; filename*=UTF-8''%e2%98%ba"), named("a", Some("☺")));
        assert_eq!(disposition("filename=x; filename*=utf-8''%ff"), named("a", Some("x")));
        assert_eq!(disposition("filename*=UTF-8''..%2F..%2Fx"), named("a", Some("x")));
        assert_eq!(disposition("filename=\"\""), named("a", Some("")));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let good = "Content-Disposition: form-data; name=a";
        for (text, words) in [
            ("", "no header field Content-Disposition, at byte 100"),
            ("Content-Type: text/plain", "no header field Content-Disposition, at byte 100"),
            ("X: y\r\nContent-Disposition form-data; name=a", "without a colon, at byte 106"),
            ("Content\0-Disposition: form-data; name=a", "whose name is none"),
            (" Content-Disposition: form-data; name=a", "whose name is none"),
            ("Content-Disposition : form-data; name=a", "whose name is none"),
            ("Content-Disposition: form-data", "without a name"),
            ("Content-Disposition: attachment; name=a", "other than form-data"),
            ("Content-Disposition: form-data; name=\"a", "cannot be read"),
            ("Content-Disposition: form-data; name=a; NAME=b", "the same parameter twice"),
            ("Content-Disposition: form-data; name=\"a\0\"", "with a NUL"),
            ("Content-Disposition: form-data; name=\"a\nX: y\"", "that ends no line"),
            (&format!("{good}\r\n{good}"), "two header fields Content-Disposition, at byte 140"),
            (&format!("{good}\r\nContent-Transfer-Encoding: base64"), "Content-Transfer-Encoding other than"),
        ] {
            let Err(FormError::Malformed(detail)) = head(text) else { panic!("{text:?} is read") };
            assert!(detail.contains(words), "{text:?}: {detail}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced() {
        let found = parse(b"Content-Disposition: form-data; name=\"a\xff\"", 0, 4).expect("a head");
        assert_eq!(found.name, "a\u{fffd}");
    }

    #[test]
    fn a_head_has_only_so_many_fields() {
        let found = head(&"X-A: b\r\n".repeat(5));
        assert!(matches!(found, Err(FormError::TooLarge(_))));
    }
}
