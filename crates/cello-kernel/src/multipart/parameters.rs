//! Parameters of a header field's value: `form-data; name="a"; filename="b"`.

use std::borrow::Cow;

use memchr::{memchr2, memmem};
use percent_encoding::percent_decode_str;

/// Splits a value at its first semicolon.
pub(super) fn split(value: &str) -> (&str, Parameters<'_>) {
    let end = value.find(';').unwrap_or(value.len());
    (value[..end].trim_matches(BLANK), Parameters { rest: &value[end..] })
}

const BLANK: [char; 2] = [' ', '\t'];

/// The parameters, in order; the words of an error say what one of them has or lacks.
///
/// Source: RFC 9110 §5.6.6. A value that is not quoted goes to the next semicolon, whatever its characters.
pub(super) struct Parameters<'a> {
    /// Empty, or what begins with the semicolon before the next one.
    rest: &'a str,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a str, Cow<'a, str>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_start_matches([';', ' ', '\t']);
        if rest.is_empty() {
            return None;
        }
        let parameter = parameter(rest);
        self.rest = parameter.as_ref().map_or("", |parameter| parameter.2);
        Some(parameter.map(|(name, value, _)| (name, value)))
    }
}

/// The first parameter, and what follows it.
fn parameter(text: &str) -> Result<(&str, Cow<'_, str>, &str), &'static str> {
    let Some((name, rest)) = text.split_once('=').filter(|(name, _)| !name.contains(';')) else {
        return Err("a parameter without a value");
    };
    let name = name.trim_end_matches(BLANK);
    let Some(quoted) = rest.trim_start_matches(BLANK).strip_prefix('"') else {
        let end = rest.find(';').unwrap_or(rest.len());
        return Ok((name, Cow::Borrowed(rest[..end].trim_matches(BLANK)), &rest[end..]));
    };
    let (value, rest) = unquote(quoted).ok_or("a quoted string without an end")?;
    let rest = rest.trim_start_matches(BLANK);
    if rest.is_empty() || rest.starts_with(';') {
        Ok((name, value, rest))
    } else {
        Err("a quoted string that something other than a semicolon follows")
    }
}

/// The string up to the closing quote, and what follows that.
///
/// A backslash escapes a quote and a backslash. Before anything else it is itself, as in a path of Windows.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    let mut value = Cow::Borrowed("");
    let (mut from, mut at) = (0, 0);
    loop {
        at += memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[at] == b'"' {
            value += &text[from..at];
            return Some((value, &text[at + 1..]));
        }
        if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) {
            value += &text[from..at];
            from = at + 1;
            at += 1;
        }
        at += 1;
    }
}

/// Undoes what browsers do to a name: `%22`, `%0D` and `%0A` are a quote and the ends of a line, any other `%` is itself.
///
/// Source: the HTML standard, "multipart/form-data encoding algorithm".
pub(super) fn unescape(text: Cow<'_, str>) -> String {
    let mut out = String::new();
    let mut from = 0;
    for at in memmem::find_iter(text.as_bytes(), b"%") {
        let escaped = match text.as_bytes().get(at + 1..at + 3) {
            Some(b"22") => '"',
            Some(b"0D" | b"0d") => '\r',
            Some(b"0A" | b"0a") => '\n',
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push(escaped);
        from = at + 3;
    }
    if from == 0 {
        return text.into_owned();
    }
    out.push_str(&text[from..]);
    out
}

/// The text of an extended value, `UTF-8'en'na%C3%AFve`, and whether that is exactly what was meant.
///
/// Source: RFC 8187 §3.2. UTF-8 is understood, and ISO-8859-1, which its predecessor had; the text of others is read
/// as UTF-8 as well as can be.
pub(super) fn extended(value: &str) -> (String, bool) {
    let mut pieces = value.splitn(3, '\'');
    let (charset, text) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_language), Some(text)) => (charset, text),
        _ => ("", value),
    };
    let bytes = Cow::from(percent_decode_str(text));
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        return (bytes.iter().map(|&byte| char::from(byte)).collect(), true);
    }
    let is_exact = charset.eq_ignore_ascii_case("utf-8") && std::str::from_utf8(&bytes).is_ok();
    (String::from_utf8_lossy(&bytes).into_owned(), is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(value: &str) -> (&str, Vec<(&str, String)>) {
        let (first, parameters) = split(value);
        let pairs = parameters.map(|pair| pair.map(|(name, value)| (name, value.into_owned())));
        (first, pairs.collect::<Result<_, _>>().expect("parameters"))
    }

    #[test]
    fn a_value_is_a_token_or_quoted_and_quotes_hide_semicolons() {
        let (first, pairs) = all(" form-data ;name=\"a;b=c\" ; x = y z ;; q=\"\"; w=a=b;");
        assert_eq!(first, "form-data");
        let expected = [("name", "a;b=c"), ("x", "y z"), ("q", ""), ("w", "a=b")];
        assert_eq!(pairs, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_backslash_escapes_a_quote_and_itself_alone() {
        assert_eq!(all(r#"f; a="x\"y\\z"; b="C:\temp\f""#).1[0].1, r#"x"y\z"#);
        assert_eq!(all(r#"f; a="x\"y\\z"; b="C:\temp\f""#).1[1].1, r"C:\temp\f");
    }

    #[test]
    fn what_is_no_parameter_is_named() {
        for value in ["f; a", "f; a; b=c", "f; a=\"b", "f; a=\"b\\\"", "f; a=\"b\"c"] {
            assert!(split(value).1.any(|parameter| parameter.is_err()), "{value}");
        }
    }

    #[test]
    fn three_escapes_of_browsers_are_undone_and_no_other() {
        assert_eq!(unescape(Cow::Borrowed("a%22b%0d%0Ac%2Fü%")), "a\"b\r\nc%2Fü%");
        assert_eq!(unescape(Cow::Borrowed("%2")), "%2");
    }

    #[test]
    fn an_extended_value_names_its_charset() {
        assert_eq!(extended("UTF-8''na%C3%AFve"), ("naïve".to_owned(), true));
        assert_eq!(extended("iso-8859-1'en'na%EFve"), ("naïve".to_owned(), true));
        assert_eq!(extended("utf-8''%FF"), ("\u{fffd}".to_owned(), false));
        assert_eq!(extended("plain"), ("plain".to_owned(), false));
    }
}
