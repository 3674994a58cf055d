//! Trusted proxies: those whose `X-Forwarded-*` headers are believed.
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::url;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionPeer {
    Address(IpAddr),
    /// A program on this machine.
    Unix,
}

/// The proxies that are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Proxies(Vec<Proxy>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Network(IpNet),
    /// Every peer of a unix socket.
    Unix,
}

/// The text is neither a network nor `unix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadProxy;

// === impl ConnectionPeer ===

impl ConnectionPeer {
    /// Address, or the unspecified one of a unix socket.
    pub(crate) fn ip(self) -> IpAddr {
        self.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(ip) => Some(ip),
            Self::Unix => None,
        }
    }
}

// === impl Proxies ===

impl Proxies {
    pub(crate) fn trust(&self, caller: ConnectionPeer) -> bool {
        self.0.iter().any(|proxy| match (proxy, caller) {
            (Proxy::Network(network), ConnectionPeer::Address(ip)) => network.contains(&ip),
            (Proxy::Unix, ConnectionPeer::Unix) => true,
            _ => false,
        })
    }

    /// Whether the client behind `caller` uses TLS. Each proxy may append its scheme, so the first is
    /// the client's.
    pub(crate) fn forwarded_secure(
        &self,
        caller: ConnectionPeer,
        headers: &HeaderMap,
    ) -> Option<bool> {
        if !self.trust(caller) {
            return None;
        }
        let first = headers.get(FORWARDED_SCHEME)?.as_bytes().split(|&byte| byte == b',').next()?;
        let scheme = unquoted(first.trim_ascii());
        let is = |names: [&[u8]; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        if is([b"https", b"wss"]) { Some(true) } else { is([b"http", b"ws"]).then_some(false) }
    }

    /// Path that proxies have stripped before `caller`: the concatenation of all prefixes, in order.
    pub(crate) fn forwarded_prefix(
        &self,
        caller: ConnectionPeer,
        headers: &HeaderMap,
    ) -> Option<String> {
        if !self.trust(caller) {
            return None;
        }
        let mut whole = String::new();
        for list in headers.get_all(FORWARDED_PREFIX) {
            for part in list.to_str().ok()?.split(',').map(str::trim) {
                match part.trim_end_matches('/') {
                    "" => {}
                    part if url::is_path(part) => whole.push_str(part),
                    _ => return None,
                }
            }
        }
        (url::is_path(&whole)).then_some(whole)
    }

    /// Address of the client behind `caller`. Each proxy appends its peer, so the client is the last
    /// address that is no trusted proxy; the client may have written all before it. An invalid address
    /// ends the search, too.
    pub(crate) fn client(&self, caller: ConnectionPeer, headers: &HeaderMap) -> IpAddr {
        if !self.trust(caller) {
            return caller.ip();
        }
        let mut client = caller.ip();
        let lists = headers.get_all(FORWARDED).iter().rev();
        let hops = lists.flat_map(|list| list.as_bytes().rsplit(|&byte| byte == b','));
        for hop in hops {
            let Some(ip) = address(hop) else { break };
            client = ip;
            if !self.trust(ConnectionPeer::Address(ip)) {
                break;
            }
        }
        client
    }
}

/// Parses an address with optional quotes and port. IPv6 may be in brackets, and have a zone, which is
/// dropped.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(unquoted(hop.trim_ascii())).ok()?.trim();
    let ip = |text: &str| text.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let in_brackets = || {
        let (address, rest) = text.strip_prefix('[')?.split_once(']')?;
        let port = rest.strip_prefix(':').is_none_or(|port| port.parse::<u16>().is_ok());
        let address = address.split_once('%').map_or(address, |(address, _)| address);
        (port && (rest.is_empty() || rest.starts_with(':'))).then(|| ip(address)).flatten()
    };
    let of_a_card = || ip(text.split_once('%')?.0);
    let found = ip(text).or_else(with_port).or_else(in_brackets).or_else(of_a_card);
    found.map(|ip| ip.to_canonical())
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text)
}

// === impl Proxy ===

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| one()).map(Self::Network).map_err(|_| BadProxy)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|BadProxy| {
            let expected = "a network as in 10.0.0.0/8, an address, or \"unix\"";
            de::Error::invalid_value(de::Unexpected::Str(&text), &expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(caller: ConnectionPeer, sent: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "unix"];
        let proxies = Proxies(trusted.iter().map(|proxy| proxy.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for list in sent {
            headers.append(FORWARDED, list.parse().unwrap());
        }
        proxies.client(caller, &headers).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let proxy = ConnectionPeer::Address([10, 0, 0, 1].into());
        let cases: [(&[&str], &str); 22] = [
            (&[], "10.0.0.1"),
            (&["198.51.100.7"], "198.51.100.7"),
            (&["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (&["1.1.1.1,198.51.100.7 , 10.9.9.9,fd00::1,192.0.2.1"], "198.51.100.7"),
            (&["1.1.1.1", "198.51.100.7", "10.9.9.9"], "198.51.100.7"),
            (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            (&["1.1.1.1, unknown"], "10.0.0.1"),
            (&["1.1.1.1, unknown, 10.2.2.2"], "10.2.2.2"),
            (&["1.1.1.1, "], "10.0.0.1"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::1]:80"], "2001:db8::1"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["192.0.2.2"], "192.0.2.2"),
            (&["\"[2001:DB8::1]:4711\""], "2001:db8::1"),
            (&["\"198.51.100.7:80\" , 10.9.9.9:1"], "198.51.100.7"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["\t198.51.100.7\t"], "198.51.100.7"),
            (&["fe80::1%eth0"], "fe80::1"),
            (&["[fe80::1%eth0]:80"], "fe80::1"),
            (&["_hidden"], "10.0.0.1"),
            (&["[2001:db8::1]x"], "10.0.0.1"),
            (&["198.51.100.7:99999"], "10.0.0.1"),
        ];
        for (sent, expected) in cases {
            assert_eq!(client(proxy, sent), expected, "{sent:?}");
        }
        assert_eq!(client(ConnectionPeer::Unix, &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(ConnectionPeer::Unix, &[]), "0.0.0.0");
    }

    #[test]
    fn who_is_no_proxy_speaks_for_nobody_else() {
        let stranger = ConnectionPeer::Address([192, 0, 2, 2].into());
        assert_eq!(client(stranger, &["198.51.100.7"]), "192.0.2.2");
        assert_eq!(
            Proxies::default().client(ConnectionPeer::Unix, &HeaderMap::new()).to_string(),
            "0.0.0.0"
        );
    }

    #[test]
    fn only_a_proxy_says_that_its_client_uses_tls() {
        let proxies = Proxies(vec!["unix".parse().unwrap()]);
        let secure = |caller, sent: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for scheme in sent {
                headers.append(FORWARDED_SCHEME, scheme.parse().unwrap());
            }
            proxies.forwarded_secure(caller, &headers)
        };
        let stranger = ConnectionPeer::Address([192, 0, 2, 2].into());
        assert_eq!(secure(stranger, &["https"]), None);
        let https: [&[&str]; 9] = [
            &["https"],
            &["HTTPS"],
            &["https", "http"],
            &["https", "https"],
            &["https, http"],
            &["HTTPS , http"],
            &["\"https\""],
            &["wss"],
            &["\thttps ,"],
        ];
        for sent in https {
            assert_eq!(secure(ConnectionPeer::Unix, sent), Some(true), "{sent:?}");
        }
        for sent in [&["http"][..], &["http, https"], &["http", "https"], &["ws"]] {
            assert_eq!(secure(ConnectionPeer::Unix, sent), Some(false), "{sent:?}");
        }
        for sent in [&[][..], &[""], &["httpss"], &[", https"]] {
            assert_eq!(secure(ConnectionPeer::Unix, sent), None, "{sent:?}");
        }
    }

    #[test]
    fn a_proxy_says_which_paths_were_taken_away() {
        let proxies = Proxies(vec!["unix".parse().unwrap()]);
        let prefix = |caller, sent: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in sent {
                headers.append(FORWARDED_PREFIX, list.parse().unwrap());
            }
            proxies.forwarded_prefix(caller, &headers)
        };
        let unix = |sent: &[&'static str]| prefix(ConnectionPeer::Unix, sent);
        assert_eq!(unix(&["/chat"]).as_deref(), Some("/chat"));
        assert_eq!(unix(&["/chat/"]).as_deref(), Some("/chat"));
        assert_eq!(unix(&["/a, /b/c"]).as_deref(), Some("/a/b/c"));
        assert_eq!(unix(&["/a", "/b"]).as_deref(), Some("/a/b"));
        for sent in
            [&[][..], &[""], &["/"], &["chat"], &["//evil.example"], &["/a/../b"], &["/<x>"]]
        {
            assert_eq!(unix(sent), None, "{sent:?}");
        }
        assert_eq!(prefix(ConnectionPeer::Address([192, 0, 2, 2].into()), &["/chat"]), None);
    }

    #[test]
    fn a_proxy_is_written_as_it_was_read() {
        for text in ["10.0.0.0/8", "fd00::/8", "unix"] {
            assert_eq!(text.parse::<Proxy>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.1".parse::<Proxy>().unwrap().to_string(), "192.0.2.1/32");
        for text in ["", "10.0.0.0/33", "proxy.example", "Unix"] {
            assert_eq!(text.parse::<Proxy>(), Err(BadProxy), "{text}");
        }
    }
}
