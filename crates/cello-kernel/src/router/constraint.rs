//! What the value of a parameter must be for its route to match.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The compiled size of a regex: the crate's own limit would let one path take 10 MiB.
const REGEX_BYTES: usize = 4 << 20;

/// A rule for the whole decoded value of a parameter.
#[derive(Clone, Debug)]
pub(super) enum Constraint {
    /// Digits, with or without a minus before them.
    Int,
    /// 8-4-4-4-12 hexadecimal digits, in either case (RFC 9562 §4).
    Uuid,
    /// Letters of ASCII.
    Alpha,
    /// Letters and digits of ASCII.
    Alphanum,
    /// What a regex matches from its beginning to its end.
    Regex(Regex),
}

impl Constraint {
    /// Understands `int`, `uuid`, `alpha`, `alphanum` and `regex(…)`.
    ///
    /// # Errors
    /// The words for what it is instead.
    pub(super) fn parse(spelling: &str) -> Result<Self, String> {
        match spelling {
            "int" => Ok(Self::Int),
            "uuid" => Ok(Self::Uuid),
            "alpha" => Ok(Self::Alpha),
            "alphanum" => Ok(Self::Alphanum),
            _ => match spelling.strip_prefix("regex(").and_then(|rest| rest.strip_suffix(')')) {
                Some(pattern) => Self::regex(pattern),
                None => Err(format!("there is no constraint {spelling:?}: {}", advice(spelling))),
            },
        }
    }

    /// A regex that has to match the whole value.
    ///
    /// # Errors
    /// The words for what is wrong with it.
    pub(super) fn regex(pattern: &str) -> Result<Self, String> {
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
        // By itself first: `a)|(b` would be well-formed between the parentheses.
        let compiled = compile(pattern).and_then(|_| compile(&format!(r"\A(?:{pattern})\z")));
        compiled.map(Self::Regex).map_err(|error| format!("the regex {pattern:?} cannot be used: {}", words(&error)))
    }

    pub(super) fn holds(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        match self {
            Self::Int => is_all(bytes.strip_prefix(b"-").unwrap_or(bytes), u8::is_ascii_digit),
            Self::Uuid => is_uuid(bytes),
            Self::Alpha => is_all(bytes, u8::is_ascii_alphabetic),
            Self::Alphanum => is_all(bytes, u8::is_ascii_alphanumeric),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

impl PartialEq for Constraint {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

fn is_all(bytes: &[u8], belongs: fn(&u8) -> bool) -> bool {
    !bytes.is_empty() && bytes.iter().all(belongs)
}

/// What to write in the place of a word that is no constraint; some are those of other frameworks.
fn advice(spelling: &str) -> &'static str {
    match spelling {
        "path" => "what takes the rest of a path is written {*name}",
        "str" | "string" => "text needs none, write {name}",
        _ => "use int, uuid, alpha, alphanum or regex(…)",
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The last line of an error of the regex crate, which draws where the error is in those above it.
fn words(error: &regex::Error) -> impl fmt::Display {
    let words = error.to_string();
    let last = words.lines().next_back().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spelling: &str, held: &[&str], refused: &[&str]) {
        let constraint = Constraint::parse(spelling).expect("a constraint");
        let holds = |value: &&&str| constraint.holds(value);
        assert_eq!(held.iter().filter(holds).collect::<Vec<_>>(), held.iter().collect::<Vec<_>>());
        assert_eq!(refused.iter().filter(holds).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn a_constraint_is_for_the_whole_value() {
        check("int", &["0", "-1", "007", &"9".repeat(400)], &["", "-", "+1", "1.0", "1e3", " 1", "1\n", "--1", "٣"]);
        check("alpha", &["a", "Zz"], &["", "a1", "é", "a b", "a\n"]);
        check("alphanum", &["a1", "7", "Z"], &["", "a-1", "é", "_"]);
        check("regex([a-z]{2,3})", &["ab", "abc"], &["a", "abcd", "ab\n", "AB", "1ab1"]);
        check("regex(a|ab)", &["a", "ab"], &["b", "aba"]);
        check(r"regex((?i)v\d+|é.)", &["V12", "v0", "éa", "v٣"], &["v", "É", "é"]);
        let uuid = "018f5a3c-7d2e-7abc-8def-0123456789ab";
        let with_space = uuid.replacen('-', " ", 1);
        check("uuid", &[uuid, &uuid.to_uppercase()], &["", &uuid[1..], &uuid.replace('-', ""), &with_space, "é"]);
    }

    #[test]
    fn what_is_no_constraint_is_told_in_one_line() {
        let refusal = |spelling: &str| Constraint::parse(spelling).expect_err("a refusal");
        assert!(refusal("integer").starts_with("there is no constraint \"integer\": use int, uuid"));
        assert!(refusal("").starts_with("there is no constraint \"\""));
        assert!(refusal("path").ends_with("what takes the rest of a path is written {*name}"));
        assert!(refusal("str").ends_with("text needs none, write {name}"));
        for regex in ["[", "a)|(?:b", "(", r"\1", "(?=a)", r"\w{200000}", "(?x) a # b"] {
            let words = refusal(&format!("regex({regex})"));
            assert!(words.starts_with("the regex ") && words.lines().count() == 1, "{words}");
        }
    }

    #[test]
    fn an_ordinary_regex_is_not_too_large() {
        check(r"regex(\w{1,64})", &["a", &"é".repeat(64)], &["", &"é".repeat(65)]);
    }
}
