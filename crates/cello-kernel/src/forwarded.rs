//! The grammar of what proxies write into a request: lists read from their end, the elements of `Forwarded`, addresses,
//! hosts and schemes. Whom to believe is decided in `proxies`.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::{AsHeaderName, HeaderValue};

/// One element of `Forwarded`: what one proxy said of the request as it reached it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element<'a> {
    pub node: Option<Cow<'a, str>>,
    pub proto: Option<Cow<'a, str>>,
    pub host: Option<Cow<'a, str>>,
}

/// The elements of `Forwarded` from the last, which the nearest proxy wrote, to the first; None in the place of one that
/// is malformed, and nothing after it.
///
/// Read from the end, since the start is whatever a client sent: a quote that it left open must not swallow what a
/// proxy wrote behind it. The shortest piece at the end that is an element is the last one: within a quoted string no
/// piece after a comma is one, as it holds one quote too many, or a backslash before the other.
///
/// Source: RFC 7239 §4.
pub(crate) fn elements(headers: &HeaderMap) -> impl Iterator<Item = Option<Element<'_>>> {
    let mut lines = headers.get_all("forwarded").iter().rev();
    let mut rest: Option<&str> = None;
    let mut is_broken = false;
    std::iter::from_fn(move || {
        while !is_broken {
            let line = match rest.take() {
                Some(line) => line,
                None => text(lines.next()?),
            };
            let (before, element) = last_element(line);
            rest = before;
            is_broken = element.is_none();
            if element != Some(None) {
                return Some(element.flatten());
            }
        }
        None
    })
}

/// Cuts the last element off: what stands before it, and itself; Some(None) where it is blank.
fn last_element(line: &str) -> (Option<&str>, Option<Option<Element<'_>>>) {
    let commas = line.bytes().enumerate().rev().filter(|&(_, byte)| byte == b',').map(|(index, _)| index);
    for comma in commas {
        let piece = line[comma + 1..].trim_matches([' ', '\t']);
        if piece.is_empty() {
            return (Some(&line[..comma]), Some(None));
        }
        if let Some(element) = element(piece) {
            return (Some(&line[..comma]), Some(Some(element)));
        }
    }
    let piece = line.trim_matches([' ', '\t']);
    if piece.is_empty() { (None, Some(None)) } else { (None, element(piece).map(Some)) }
}

/// Parses `name=value;name=value`; None where it is malformed, or names something twice.
fn element(piece: &str) -> Option<Element<'_>> {
    let mut element = Element::default();
    let mut rest = piece;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(';') {
            let (name, value) = rest.split_once('=')?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            let (value, after) = value_of(value)?;
            rest = after.trim_start_matches([' ', '\t']);
            let slot = match name {
                _ if name.eq_ignore_ascii_case("for") => &mut element.node,
                _ if name.eq_ignore_ascii_case("proto") => &mut element.proto,
                _ if name.eq_ignore_ascii_case("host") => &mut element.host,
                _ => &mut None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        if rest.is_empty() {
            return Some(element);
        }
        rest = rest.strip_prefix(';')?;
    }
}

/// A token or a quoted string, and what follows. Brackets and colons are taken unquoted too: many proxies write so.
fn value_of(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(byte) && !b"[]:".contains(&byte)).unwrap_or(text.len());
        return (end > 0).then(|| (Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let plain = quoted.find(['"', '\\'])?;
    if quoted[plain..].starts_with('"') {
        return Some((Cow::Borrowed(&quoted[..plain]), &quoted[plain + 1..]));
    }
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &quoted[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The items of a comma-separated field from the last to the first, over all its lines, blank ones left out.
pub(crate) fn items(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .flat_map(|line| text(line).rsplit(','))
        .map(|item| item.trim_matches([' ', '\t']))
        .filter(|item| !item.is_empty())
}

/// A field's text; one with other than visible ASCII becomes what is no item of any list.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

/// The address of a node, whose port is left out: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
/// None for `unknown`, for an obfuscated name, and for what is no address.
///
/// Source: RFC 7239 §6.
pub(crate) fn address(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        (IpAddr::V6(address.parse().ok()?), port.strip_prefix(':').or(port.is_empty().then_some("0"))?)
    } else {
        let (address, port) = node.split_once(':')?;
        (IpAddr::V4(address.parse().ok()?), port)
    };
    (is_port(port) || is_obfuscated(port)).then(|| address.to_canonical())
}

fn is_obfuscated(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// A port that can be connected to.
pub(crate) fn port(text: &str) -> Option<u16> {
    is_port(text).then(|| text.parse().ok()).flatten().filter(|&port| port > 0)
}

/// Whether a text is a host, with or without a port: no user, no space, nothing that ends a host in a URL.
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = split_port(text);
    if port.is_some_and(|text| self::port(text).is_none()) {
        return false;
    }
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Cuts the port off a host, where it has one.
pub(crate) fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a scheme is one over TLS; the schemes of WebSocket are those of HTTP under other names.
pub(crate) fn is_secure(scheme: &str) -> Option<bool> {
    let is_one_of = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is_one_of(["https", "wss"]) {
        Some(true)
    } else if is_one_of(["http", "ws"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).expect("a field"));
        }
        headers
    }

    /// The nodes of `Forwarded` from the last to the first, "?" for a malformed element.
    fn nodes(lines: &[&str]) -> Vec<String> {
        let headers = fields("forwarded", lines);
        let node = |element: Element<'_>| element.node.unwrap_or_default().into_owned();
        elements(&headers).map(|element| element.map_or("?".to_owned(), node)).collect()
    }

    #[test]
    fn the_examples_of_the_rfc_are_understood() {
        assert_eq!(nodes(&["for=\"_gazonk\""]), ["_gazonk"]);
        assert_eq!(nodes(&["For=\"[2001:db8:cafe::17]:4711\""]), ["[2001:db8:cafe::17]:4711"]);
        assert_eq!(nodes(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), ["192.0.2.60"]);
        assert_eq!(nodes(&["for=192.0.2.43, for=198.51.100.17"]), ["198.51.100.17", "192.0.2.43"]);
        assert_eq!(nodes(&["for=192.0.2.43,for=\"[::1]\";by=_x", "for=unknown"]), ["unknown", "[::1]", "192.0.2.43"]);
    }

    #[test]
    fn an_element_has_pairs_in_any_order_and_case() {
        let headers = fields("forwarded", &["Proto=HTTPS; host=\"a\\.b:1,\\\"\" ;;ext=1;FOR=1.2.3.4;"]);
        let found = elements(&headers).next().flatten().expect("an element");
        assert_eq!(found.node.as_deref(), Some("1.2.3.4"));
        assert_eq!(found.proto.as_deref(), Some("HTTPS"));
        assert_eq!(found.host.as_deref(), Some("a.b:1,\""));
    }

    #[test]
    fn what_a_client_left_open_swallows_nothing_that_a_proxy_wrote() {
        assert_eq!(nodes(&["for=\"evil, for=1.2.3.4"]), ["1.2.3.4", "?"]);
        assert_eq!(nodes(&["for=\"evil, for=\"[::1]\";proto=http"]), ["[::1]", "?"]);
        assert_eq!(nodes(&["for=\"evil\\, for=1.2.3.4;host=\"a,b\""]), ["1.2.3.4", "?"]);
        assert_eq!(nodes(&["nonsense", "for=1.2.3.4"]), ["1.2.3.4", "?"]);
        assert_eq!(nodes(&["for=6.6.6.6, nonsense, for=1.2.3.4"]), ["1.2.3.4", "?"]);
    }

    #[test]
    fn a_comma_within_quotes_ends_nothing() {
        assert_eq!(nodes(&["for=1.2.3.4;host=\"x, for=6.6.6.6\""]), ["1.2.3.4"]);
        assert_eq!(nodes(&["for=1.2.3.4;host=\"x, for=\\\"6.6.6.6\\\"\""]), ["1.2.3.4"]);
        assert_eq!(nodes(&["for=1.2.3.4;host=\"x, for=\\\"6.6.6.6\""]), ["1.2.3.4"]);
    }

    #[test]
    fn blank_elements_are_left_out_and_malformed_ones_are_the_end() {
        assert_eq!(nodes(&["", " , for=1.2.3.4, ,\t"]), ["1.2.3.4"]);
        for malformed in ["for", "for=", "=1", "for = 1", "for=1;for=2", "for=\"1", "for=1 2", "f\u{e9}=1", "for=\"\\"]
        {
            assert_eq!(nodes(&[malformed]), ["?"], "{malformed}");
        }
    }

    #[test]
    fn an_address_is_read_with_or_without_its_port() {
        for (node, wanted) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:8080", Some("192.0.2.1")),
            ("192.0.2.1:_obf", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:DB8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("unknown", None),
            ("_hidden", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("192.0.2.1:x", None),
            ("192.0.2.01", None),
            ("192.0.2", None),
            ("[192.0.2.1]", None),
            ("[::1]8", None),
            ("[::1", None),
            ("example.org", None),
            ("", None),
        ] {
            assert_eq!(address(node), wanted.map(|text| text.parse().expect("an address")), "{node}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in ["example.org", "example.org:8443", "a_b.local", "127.0.0.1:80", "[::1]", "[::1]:8000", "x~y"] {
            assert!(is_host(host), "{host}");
        }
        let bad =
            ["", ":80", "a b", "user@host", "a:b", "a:", "a:0", "a:65536", "a/b", "a?b", "a#b", "::1", "[::1", "[a]"];
        for host in bad {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn a_list_is_read_from_its_end_over_all_lines() {
        let headers = fields("x-list", &["a, b", "", " ,c\t,", "d"]);
        assert_eq!(items(&headers, "x-list").collect::<Vec<_>>(), ["d", "c", "b", "a"]);
        let headers = fields("x-list", &["a, \u{e9}"]);
        assert_eq!(items(&headers, "x-list").collect::<Vec<_>>(), ["?"]);
    }
}
