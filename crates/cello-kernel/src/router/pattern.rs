//! The path of a route as it is written: `/users/{id:int}/files/{name}.txt`, `/{*rest}`.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::constraint::Constraint;
use super::matcher::Matcher;

/// A route's path, understood.
#[derive(Clone, Debug)]
pub struct Pattern {
    path: String,
    pub(super) segments: Vec<Segment>,
    /// Whether a slash follows the last segment.
    pub(super) has_slash: bool,
    names: Vec<String>,
}

/// What stands between two slashes.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// Text, percent-decoded.
    Exact(Box<[u8]>),
    /// A parameter.
    Parameter(Matcher),
    /// A catch-all.
    Rest(Option<Constraint>),
}

/// A path that cannot be one: the words for it.
#[derive(Debug)]
pub struct PathError(String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PathError {}

/// A parameter as it stands between its braces.
struct Parameter {
    name: String,
    is_rest: bool,
    constraint: Option<Constraint>,
}

impl Pattern {
    /// Understands a path.
    ///
    /// # Errors
    /// A path that does not start with `/` or is malformed.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut pattern = Self { path: path.to_owned(), segments: Vec::new(), has_slash: false, names: Vec::new() };
        match pattern.parse_segments() {
            Ok(()) => Ok(pattern),
            Err(words) => Err(pattern.refused(&words)),
        }
    }

    /// Constrains a parameter, as `{name:spelling}` does.
    ///
    /// # Errors
    /// A name that the path does not have or that is constrained already, and a constraint that cannot be one.
    pub fn constrain(&mut self, name: &str, spelling: &str) -> Result<(), PathError> {
        let Some(index) = self.names.iter().position(|known| known == name) else {
            return Err(self.refused(&format!("has no parameter {name:?} to constrain")));
        };
        let constraint = Constraint::parse(spelling).map_err(|words| self.refused(&of(name, &words)))?;
        let constraints = self.segments.iter_mut().filter_map(|segment| match segment {
            Segment::Exact(_) => None,
            Segment::Parameter(matcher) => Some(&mut matcher.constraint),
            Segment::Rest(constraint) => Some(constraint),
        });
        match constraints.into_iter().nth(index) {
            Some(free @ None) => *free = Some(constraint),
            _ => return Err(self.refused(&of(name, "it is constrained twice"))),
        }
        Ok(())
    }

    /// The names of its parameters, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn refused(&self, words: &str) -> PathError {
        PathError(format!("the path {:?} {words}", self.path))
    }

    fn parse_segments(&mut self) -> Result<(), String> {
        let path = self.path.clone();
        let mut rest = path.strip_prefix('/').ok_or("must start with \"/\"")?;
        if rest.is_empty() {
            return Ok(());
        }
        loop {
            let after = self.parse_segment(rest)?;
            let Some(next) = after.strip_prefix('/') else { return Ok(()) };
            if matches!(self.segments.last(), Some(Segment::Rest(_))) {
                let name = self.names.last().map_or("", String::as_str);
                return Err(format!(
                    "goes on after {{*{name}}}, which takes all the rest: it can only stand at the end"
                ));
            }
            if next.is_empty() {
                self.has_slash = true;
                return Ok(());
            }
            rest = next;
        }
    }

    /// Takes one segment off `rest` and returns what follows it.
    fn parse_segment<'p>(&mut self, rest: &'p str) -> Result<&'p str, String> {
        let (prefix, rest) = literal(rest)?;
        let Some(rest) = rest.strip_prefix('{') else {
            self.segments.push(Segment::Exact(percent_decode_str(prefix).collect()));
            return Ok(rest);
        };
        let (Parameter { name, is_rest, constraint }, rest) = parameter(rest)?;
        let (suffix, rest) = literal(rest)?;
        if rest.starts_with('{') {
            return Err(format!("has a second parameter after {{{name}}} in one segment: put a \"/\" between them"));
        }
        if is_rest && !(prefix.is_empty() && suffix.is_empty()) {
            return Err(format!("has text beside {{*{name}}}: it can only be a segment of its own"));
        }
        if let Some(character) = prefix.chars().chain(suffix.chars()).find(|character| !is_sent_plain(*character)) {
            return Err(format!("has a {character:?} beside {{{name}}}, which clients send encoded"));
        }
        if self.names.contains(&name) {
            return Err(format!("has two parameters {name:?}"));
        }
        self.names.push(name);
        self.segments.push(if is_rest {
            Segment::Rest(constraint)
        } else {
            Segment::Parameter(Matcher { prefix: prefix.into(), suffix: suffix.into(), constraint })
        });
        Ok(rest)
    }
}

/// The text up to the next slash or opening brace, and what follows.
fn literal(rest: &str) -> Result<(&str, &str), String> {
    let (text, rest) = rest.split_at(rest.find(['/', '{', '}']).unwrap_or(rest.len()));
    if rest.starts_with('}') {
        return Err("closes a brace that it did not open".to_owned());
    }
    match text.find(['?', '#']) {
        Some(at) => Err(format!("has a {:?}, with which the path of a request ends", &text[at..=at])),
        None => Ok((text, rest)),
    }
}

/// The parameter whose opening brace was just passed, and what follows its closing one.
fn parameter(rest: &str) -> Result<(Parameter, &str), String> {
    let unclosed = || "opens a brace that it does not close".to_owned();
    let (is_rest, rest) = rest.strip_prefix('*').map_or((false, rest), |rest| (true, rest));
    let (name, rest) = rest.split_at(rest.find([':', '}', '{', '/']).ok_or_else(unclosed)?);
    let found = |constraint| Parameter { name: name.to_owned(), is_rest, constraint };
    if rest.starts_with(['{', '/']) {
        return Err(unclosed());
    }
    if name.is_empty() {
        return Err("has a parameter without a name".to_owned());
    }
    if !is_identifier(name) {
        return Err(format!("has a parameter {name:?}: a name has letters, digits and \"_\", and no digit first"));
    }
    let Some(rest) = rest.strip_prefix(':') else { return Ok((found(None), &rest[1..])) };
    if let Some(pattern) = rest.strip_prefix("regex(") {
        let (constraint, rest) = regex(pattern).ok_or_else(unclosed)?;
        return Ok((found(Some(constraint.map_err(|words| of(name, &words))?)), rest));
    }
    let (spelling, rest) = rest.split_once('}').ok_or_else(unclosed)?;
    Ok((found(Some(Constraint::parse(spelling).map_err(|words| of(name, &words))?)), rest))
}

/// The regex that ends with the first `)}` before which there is a whole one: braces, slashes and parentheses in it are
/// its own.
fn regex(rest: &str) -> Option<(Result<Constraint, String>, &str)> {
    let mut ends = rest.match_indices(")}").map(|(at, end)| (Constraint::regex(&rest[..at]), &rest[at + end.len()..]));
    let first = ends.next()?;
    if first.0.is_ok() { Some(first) } else { Some(ends.find(|(constraint, _)| constraint.is_ok()).unwrap_or(first)) }
}

fn of(name: &str, words: &str) -> String {
    format!("constrains {name:?}, but {words}")
}

fn is_identifier(name: &str) -> bool {
    let is_part = |character: char| character == '_' || character.is_alphanumeric();
    name.chars().all(is_part) && !name.starts_with(char::is_numeric)
}

/// Whether a character stands in a path as it is (RFC 3986 §3.3, `pchar`).
fn is_sent_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &str) -> String {
        Pattern::parse(path).expect_err("a refusal").to_string()
    }

    #[test]
    fn a_path_that_cannot_be_one_is_refused_with_its_reason() {
        for (path, words) in [
            ("", "must start with \"/\""),
            ("users", "must start with \"/\""),
            ("/{id", "opens a brace that it does not close"),
            ("/{id/x}", "opens a brace that it does not close"),
            ("/{a{b}}", "opens a brace that it does not close"),
            ("/{id:int", "opens a brace that it does not close"),
            ("/{id:regex(a)", "opens a brace that it does not close"),
            ("/id}", "closes a brace that it did not open"),
            ("/{id}}", "closes a brace that it did not open"),
            ("/{}", "has a parameter without a name"),
            ("/{*}", "has a parameter without a name"),
            ("/{:int}", "has a parameter without a name"),
            ("/{id}/{id}", "has two parameters \"id\""),
            ("/{id}/{*id}", "has two parameters \"id\""),
            ("/{1st}", "has a parameter \"1st\": a name has letters, digits and \"_\", and no digit first"),
            ("/{a-b}", "has a parameter \"a-b\": a name has letters, digits and \"_\", and no digit first"),
            ("/{a}{b}", "has a second parameter after {a} in one segment: put a \"/\" between them"),
            ("/{*rest}/x", "goes on after {*rest}, which takes all the rest: it can only stand at the end"),
            ("/{*rest}/", "goes on after {*rest}, which takes all the rest: it can only stand at the end"),
            ("/v{*rest}", "has text beside {*rest}: it can only be a segment of its own"),
            ("/é{id}", "has a 'é' beside {id}, which clients send encoded"),
            ("/{id}%20", "has a '%' beside {id}, which clients send encoded"),
            ("/a?b=1", "has a \"?\", with which the path of a request ends"),
            ("/a#b", "has a \"#\", with which the path of a request ends"),
        ] {
            assert_eq!(refusal(path), format!("the path {path:?} {words}"));
        }
        assert!(refusal("/{id:integer}").contains("constrains \"id\", but there is no constraint \"integer\""));
        assert!(refusal("/{id:regex([)}").contains("constrains \"id\", but the regex \"[\" cannot be used: unclosed"));
    }

    #[test]
    fn a_regex_may_have_braces_slashes_and_parentheses() {
        for regex in ["[a-z]{2,3}", "(a|b){2}", "[)}]+", "a/b", "(?:x{1}(y{2}))", r"\)\}", "a)}|(b"] {
            let parsed = Pattern::parse(&format!("/x/{{y:regex({regex})}}.txt/{{z}}"));
            let is_whole = Constraint::regex(regex).is_ok();
            assert_eq!(parsed.is_ok_and(|pattern| pattern.names() == ["y", "z"]), is_whole, "{regex}");
        }
    }

    #[test]
    fn a_constraint_can_be_told_beside_the_path_once() {
        let mut pattern = Pattern::parse("/x/{a}/{b:int}/{*c}").expect("a path");
        pattern.constrain("a", "alpha").expect("a constraint");
        pattern.constrain("c", "regex(x)").expect("a constraint");
        let refusal = |refused: Result<(), PathError>| refused.expect_err("a refusal").to_string();
        assert!(refusal(pattern.constrain("d", "int")).ends_with("has no parameter \"d\" to constrain"));
        assert!(refusal(pattern.constrain("a", "alpha")).ends_with("constrains \"a\", but it is constrained twice"));
        assert!(refusal(pattern.constrain("b", "int")).ends_with("constrains \"b\", but it is constrained twice"));
        assert!(refusal(pattern.constrain("b", "number")).contains("there is no constraint \"number\""));
    }
}
