//! Proxies that are trusted, and what they tell of the client and of how it addressed the server.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use crate::exchange::Exchange;
use crate::forwarded::{Element, address, elements, is_host, is_secure, items, port, split_port};

/// Which header fields trusted proxies write: one kind is read, and the other left to whoever sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// Those of `XForwarded` where one of them is there, or an `X-Real-IP` that is read; else `Forwarded`.
    #[default]
    Either,
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

const X_FORWARDED: [&str; 4] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];

/// Whose word is taken for who the client is.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    has_unix: bool,
    /// Which header fields are read.
    pub forwarded_by: ForwardedBy,
    /// Whether `X-Real-IP` is read, and goes before them.
    pub has_real_ip: bool,
}

/// What trusted proxies told of a request. Where they told nothing that can be used, it is as if they were not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The nearest address that is no trusted proxy's; None where a Unix socket is all that is known.
    pub client: Option<IpAddr>,
    /// Whether the client came over TLS.
    pub is_secure: bool,
    /// The host it asked for, with the port it named.
    pub host: Option<String>,
}

impl TrustedProxies {
    /// Trusts one more: an address, a network such as `10.0.0.0/8`, or `unix` for whoever connects over a Unix socket.
    ///
    /// # Errors
    /// The words say why the entry is none of them.
    pub fn add(&mut self, entry: &str) -> Result<(), String> {
        if entry == "unix" {
            self.has_unix = true;
        } else {
            self.networks.push(Network::parse(entry)?);
        }
        Ok(())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether a request came from one of them.
    pub fn trusts_peer(&self, exchange: &Exchange) -> bool {
        exchange.peer_ip().map_or(self.has_unix, |address| self.trusts(address))
    }

    /// What is told of a request; None where its peer is not trusted.
    pub fn told(&self, exchange: &Exchange) -> Option<Origin> {
        if !self.trusts_peer(exchange) {
            return None;
        }
        let peer = exchange.peer_ip();
        let headers = &exchange.head.headers;
        let told = match self.forwarded_by {
            ForwardedBy::Forwarded => self.told_by_forwarded(peer, headers),
            // A proxy that writes the other kind passes `Forwarded` on from whoever sent it.
            ForwardedBy::Either if !self.has_x_fields(headers) => self.told_by_forwarded(peer, headers),
            ForwardedBy::Either | ForwardedBy::XForwarded => self.told_by_x_forwarded(peer, headers),
        };
        let is_secure = told.is_secure.unwrap_or(exchange.is_secure);
        let host = told.host.as_deref().or_else(|| host(&exchange.head));
        let host = host.map(|host| with_port(host, told.port, is_secure));
        Some(Origin { client: self.real_ip(peer, headers).unwrap_or(told.client), is_secure, host })
    }

    /// What `X-Real-IP` says, where it is read and there: one that is no single address says nothing but the peer.
    fn real_ip(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<Option<IpAddr>> {
        if !self.has_real_ip || !headers.contains_key("x-real-ip") {
            return None;
        }
        let mut values = items(headers, "x-real-ip");
        let client = values.next().and_then(address);
        Some(if values.next().is_none() && client.is_some() { client } else { peer })
    }

    fn has_x_fields(&self, headers: &HeaderMap) -> bool {
        (self.has_real_ip && headers.contains_key("x-real-ip"))
            || X_FORWARDED.iter().any(|name| headers.contains_key(*name))
    }

    fn told_by_x_forwarded(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Told {
        let (client, steps) = self.walk(peer, items(headers, "x-forwarded-for").map(address));
        // The proxy that saw the client wrote its words as many steps from the end; where there are fewer, the others
        // passed on what they were given.
        let told = |name| items(headers, name).take(steps.max(1)).last();
        Told {
            client,
            is_secure: told("x-forwarded-proto").and_then(is_secure),
            host: told("x-forwarded-host").filter(|host| is_host(host)).map(str::to_owned),
            port: told("x-forwarded-port").and_then(port),
        }
    }

    fn told_by_forwarded(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Told {
        let node = |element: Option<Element<'_>>| address(&element?.node?);
        let (client, steps) = self.walk(peer, elements(headers).map(node));
        let element = steps.checked_sub(1).and_then(|index| elements(headers).nth(index)).flatten().unwrap_or_default();
        Told {
            client,
            is_secure: element.proto.as_deref().and_then(is_secure),
            host: element.host.filter(|host| is_host(host)).map(|host| host.into_owned()),
            port: None,
        }
    }

    /// Goes from the peer away, as long as each is trusted: the last address that one of them gave, and the steps.
    fn walk(&self, peer: Option<IpAddr>, nodes: impl Iterator<Item = Option<IpAddr>>) -> (Option<IpAddr>, usize) {
        let (mut client, mut steps) = (peer, 0);
        for node in nodes {
            steps += 1;
            let Some(address) = node else { break };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        (client, steps)
    }
}

struct Told {
    client: Option<IpAddr>,
    is_secure: Option<bool>,
    host: Option<String>,
    port: Option<u16>,
}

/// The host that a request names, with its port: that of an absolute target, else of the Host field.
///
/// Source: RFC 9112 §3.2.2 and §3.3.
pub fn host(head: &Parts) -> Option<&str> {
    let authority = head.uri.authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    authority.or_else(|| head.headers.get(HOST)?.to_str().ok()).filter(|host| !host.is_empty())
}

/// Adds a port to a host that names none, unless it is the scheme's own.
fn with_port(host: &str, port: Option<u16>, is_secure: bool) -> String {
    match port {
        Some(port) if split_port(host).1.is_none() && port != if is_secure { 443 } else { 80 } => {
            format!("{host}:{port}")
        }
        _ => host.to_owned(),
    }
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug)]
enum Network {
    V4 { base: u32, mask: u32 },
    V6 { base: u128, mask: u128 },
}

impl Network {
    fn parse(entry: &str) -> Result<Self, String> {
        let (address, prefix) =
            entry.split_once('/').map_or((entry, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is no IP address"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(text) => {
                let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let prefix = digits.and_then(|digits| digits.parse().ok()).filter(|prefix| *prefix <= width);
                prefix.ok_or_else(|| format!("\"/{text}\" is no prefix length: use /0 to /{width}"))?
            }
        };
        let network = Self::new(address, prefix);
        if network.base() != address {
            return Err(format!("it has bits beyond its prefix, the network is {}/{prefix}", network.base()));
        }
        Ok(match address {
            // Addresses are compared in their own family, whatever family the socket has.
            IpAddr::V6(mapped) if prefix >= 96 && mapped.to_ipv4_mapped().is_some() => {
                Self::new(address.to_canonical(), prefix - 96)
            }
            _ => network,
        })
    }

    fn new(address: IpAddr, prefix: u32) -> Self {
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                Self::V4 { base: address.to_bits() & mask, mask }
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                Self::V6 { base: address.to_bits() & mask, mask }
            }
        }
    }

    fn base(&self) -> IpAddr {
        match *self {
            Self::V4 { base, .. } => IpAddr::V4(base.into()),
            Self::V6 { base, .. } => IpAddr::V6(base.into()),
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (*self, address) {
            (Self::V4 { base, mask }, IpAddr::V4(address)) => address.to_bits() & mask == base,
            (Self::V6 { base, mask }, IpAddr::V6(address)) => address.to_bits() & mask == base,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn proxies(entries: &[&str]) -> TrustedProxies {
        let mut proxies = TrustedProxies::default();
        for entry in entries {
            proxies.add(entry).expect("an entry");
        }
        proxies
    }

    fn exchange(peer: Option<&str>, fields: &[(&str, &str)]) -> Exchange {
        let mut request = http::Request::builder().uri("/").header("host", "own.example");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let peer = peer.map(|peer| (peer.parse::<IpAddr>().expect("an address"), 1).into());
        Exchange::by_hand(request.body(()).expect("a request").into_parts().0, Bytes::new(), peer, false)
    }

    /// Client, scheme and host as the proxies tell them.
    fn told(proxies: &TrustedProxies, peer: Option<&str>, fields: &[(&str, &str)]) -> Option<String> {
        let Origin { client, is_secure, host } = proxies.told(&exchange(peer, fields))?;
        let client = client.map(|client| client.to_string()).unwrap_or_default();
        Some(format!("{client} {}://{}", if is_secure { "https" } else { "http" }, host.unwrap_or_default()))
    }

    const TEN: &[&str] = &["10.0.0.0/8"];

    #[test]
    fn networks_hold_what_is_in_them() {
        let several = proxies(&["10.0.0.0/8", "192.168.1.7", "::1", "2001:db8::/32", "::ffff:172.16.0.0/108"]);
        for inside in ["10.255.0.1", "192.168.1.7", "::1", "2001:db8:ffff::", "172.31.0.1"] {
            assert!(several.trusts(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["11.0.0.0", "192.168.1.6", "::2", "2001:db9::", "172.32.0.0", "::a00:1"] {
            assert!(!several.trusts(outside.parse().expect("an address")), "{outside}");
        }
        assert!(proxies(&["0.0.0.0/0"]).trusts("9.9.9.9".parse().expect("an address")));
        assert!(proxies(&["::/0"]).trusts("2001::".parse().expect("an address")));
    }

    #[test]
    fn an_entry_that_is_no_network_is_refused_with_the_reason() {
        for (entry, reason) in [
            ("localhost", "no IP address"),
            ("", "no IP address"),
            ("*", "no IP address"),
            ("10.0.0/8", "no IP address"),
            ("10.0.0.1:80", "no IP address"),
            ("10.0.0.0/33", "use /0 to /32"),
            ("::/129", "use /0 to /128"),
            ("10.0.0.0/", "no prefix length"),
            ("10.0.0.0/+8", "no prefix length"),
            ("10.1.0.0/8", "the network is 10.0.0.0/8"),
            ("2001:db8::1/32", "the network is 2001:db8::/32"),
        ] {
            let words = TrustedProxies::default().add(entry).expect_err(entry);
            assert!(words.contains(reason), "{entry}: {words}");
        }
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        let fields =
            [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example")];
        assert_eq!(told(&proxies(&[]), Some("10.0.0.1"), &fields), None);
        assert_eq!(told(&proxies(TEN), Some("11.0.0.1"), &fields), None);
        assert_eq!(told(&proxies(TEN), None, &fields), None);
        let wanted = Some("1.2.3.4 https://shop.example".to_owned());
        assert_eq!(told(&proxies(TEN), Some("10.0.0.1"), &fields), wanted);
        assert_eq!(told(&proxies(TEN), Some("::ffff:10.0.0.1"), &fields), wanted);
        assert_eq!(told(&proxies(&["unix"]), None, &fields), wanted);
        assert_eq!(told(&proxies(&["unix"]), Some("10.0.0.1"), &fields), None);
    }

    #[test]
    fn the_client_is_the_first_from_the_end_that_is_not_trusted() {
        let client = |value: &str| {
            let told = told(&proxies(TEN), Some("10.0.0.1"), &[("x-forwarded-for", value)]);
            told.expect("a trusted peer").split(' ').next().unwrap_or_default().to_owned()
        };
        assert_eq!(client("6.6.6.6, 1.2.3.4"), "1.2.3.4");
        assert_eq!(client("6.6.6.6, 1.2.3.4:5678, 10.0.0.3, 10.0.0.2"), "1.2.3.4");
        assert_eq!(client("10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(client("6.6.6.6, unknown"), "10.0.0.1");
        assert_eq!(client("6.6.6.6, <script>, 10.0.0.2"), "10.0.0.2");
        assert_eq!(client(", ,"), "10.0.0.1");
        assert_eq!(client("2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn scheme_and_host_are_those_that_the_proxy_saw_which_saw_the_client() {
        let told = |fields: &[(&str, &str)]| told(&proxies(TEN), Some("10.0.0.1"), fields).expect("a trusted peer");
        let chain = ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2");
        let protos = ("x-forwarded-proto", "evil, https, http");
        assert_eq!(told(&[chain, protos, ("x-forwarded-host", "evil, a, b")]), "1.2.3.4 https://a");
        assert_eq!(told(&[chain, ("x-forwarded-host", "a")]), "1.2.3.4 http://a");
        assert_eq!(told(&[("x-forwarded-host", "evil, a")]), "10.0.0.1 http://a");
        for forged in ["user@a", "a b", "a/b", "a:b", "[::", "<>"] {
            assert_eq!(
                told(&[("x-forwarded-host", forged), ("x-forwarded-proto", "ftp")]),
                "10.0.0.1 http://own.example"
            );
        }
        let https = ("x-forwarded-proto", "wss");
        assert_eq!(told(&[https, ("x-forwarded-port", "443")]), "10.0.0.1 https://own.example");
        assert_eq!(told(&[https, ("x-forwarded-port", "8443")]), "10.0.0.1 https://own.example:8443");
        assert_eq!(told(&[https, ("x-forwarded-port", "x")]), "10.0.0.1 https://own.example");
        assert_eq!(told(&[("x-forwarded-host", "a:1"), ("x-forwarded-port", "2")]), "10.0.0.1 http://a:1");
    }

    #[test]
    fn the_fields_that_the_proxies_do_not_write_are_the_clients_and_not_read() {
        let mut proxies = proxies(TEN);
        let forwarded = ("forwarded", "for=6.6.6.6, for=1.2.3.4;proto=https;host=a, for=10.0.0.2;proto=http;host=b");
        let fields = [forwarded, ("x-forwarded-for", "7.7.7.7"), ("x-forwarded-host", "c"), ("x-real-ip", "8.8.8.8")];
        for x_forwarded in [ForwardedBy::Either, ForwardedBy::XForwarded] {
            proxies.forwarded_by = x_forwarded;
            assert_eq!(told(&proxies, Some("10.0.0.1"), &fields).as_deref(), Some("7.7.7.7 http://c"));
        }
        proxies.forwarded_by = ForwardedBy::Forwarded;
        assert_eq!(told(&proxies, Some("10.0.0.1"), &fields).as_deref(), Some("1.2.3.4 https://a"));
        let hidden = ("forwarded", "for=_hidden;proto=https;host=a");
        assert_eq!(told(&proxies, Some("10.0.0.1"), &[hidden]).as_deref(), Some("10.0.0.1 https://a"));
        let broken = ("forwarded", "for=1.2.3.4;proto=https;host=a b");
        assert_eq!(told(&proxies, Some("10.0.0.1"), &[broken]).as_deref(), Some("10.0.0.1 http://own.example"));
    }

    #[test]
    fn where_nobody_says_what_the_proxies_write_forwarded_is_read_in_the_absence_of_the_others() {
        let mut proxies = proxies(TEN);
        let forwarded = ("forwarded", "for=1.2.3.4;proto=https;host=a");
        let client = |proxies: &TrustedProxies, fields: &[(&str, &str)]| told(proxies, Some("10.0.0.1"), fields);
        assert_eq!(client(&proxies, &[forwarded]).as_deref(), Some("1.2.3.4 https://a"));
        for name in X_FORWARDED {
            let told = client(&proxies, &[forwarded, (name, "?")]);
            assert_eq!(told.as_deref(), Some("10.0.0.1 http://own.example"), "{name}");
        }
        let real_ip = [forwarded, ("x-real-ip", "8.8.8.8")];
        assert_eq!(client(&proxies, &real_ip).as_deref(), Some("1.2.3.4 https://a"));
        proxies.has_real_ip = true;
        assert_eq!(client(&proxies, &real_ip).as_deref(), Some("8.8.8.8 http://own.example"));
        proxies.forwarded_by = ForwardedBy::XForwarded;
        assert_eq!(client(&proxies, &[forwarded]).as_deref(), Some("10.0.0.1 http://own.example"));
    }

    #[test]
    fn a_real_ip_goes_first_where_it_is_asked_for() {
        let mut proxies = proxies(TEN);
        proxies.has_real_ip = true;
        let chain = ("x-forwarded-for", "7.7.7.7");
        let told = |fields: &[(&str, &str)]| told(&proxies, Some("10.0.0.1"), fields).expect("a trusted peer");
        assert_eq!(told(&[chain]), "7.7.7.7 http://own.example");
        assert_eq!(told(&[chain, ("x-real-ip", "8.8.8.8")]), "8.8.8.8 http://own.example");
        assert_eq!(told(&[chain, ("x-real-ip", "nobody")]), "10.0.0.1 http://own.example");
        assert_eq!(told(&[chain, ("x-real-ip", "8.8.8.8"), ("x-real-ip", "9.9.9.9")]), "10.0.0.1 http://own.example");
    }

    #[test]
    fn an_absolute_target_goes_before_the_host_field_and_its_user_is_left_out() {
        let head =
            |target: &str| http::Request::get(target).header("host", "b").body(()).expect("a request").into_parts().0;
        assert_eq!(host(&head("/")), Some("b"));
        assert_eq!(host(&head("http://a:81/")), Some("a:81"));
        assert_eq!(host(&head("http://user:word@a:81/")), Some("a:81"));
    }
}
