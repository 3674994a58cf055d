//! Who may speak for a client: the proxies whose `X-Forwarded-For` is believed.
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Address(IpAddr),
    /// Some program on this machine.
    Unix,
}

/// The proxies that are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Proxies(Vec<Proxy>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Network(IpNet),
    /// Whoever connects to a unix socket.
    Unix,
}

/// The text is neither a network nor `unix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadProxy;

// === impl Caller ===

impl Caller {
    /// The address; an unspecified one if there is none.
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
    pub(crate) fn trust(&self, caller: Caller) -> bool {
        self.0.iter().any(|proxy| match (proxy, caller) {
            (Proxy::Network(network), Caller::Address(ip)) => network.contains(&ip),
            (Proxy::Unix, Caller::Unix) => true,
            _ => false,
        })
    }

    /// Whether `caller` speaks for a client that uses TLS.
    pub(crate) fn forwarded_secure(&self, caller: Caller, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(FORWARDED_SCHEME).iter().filter(|_| self.trust(caller));
        let (Some(scheme), None) = (sent.next(), sent.next()) else { return false };
        scheme.as_bytes().eq_ignore_ascii_case(b"https")
    }

    /// The address of the client that `caller` speaks for. Each proxy adds the address that it was
    /// called from at the end, so the client is the last that is no proxy itself: what is before it
    /// the client may have written. So may it what is no address, and there the search ends, too.
    pub(crate) fn client(&self, caller: Caller, headers: &HeaderMap) -> IpAddr {
        if !self.trust(caller) {
            return caller.ip();
        }
        let mut client = caller.ip();
        let lists = headers.get_all(FORWARDED).iter().rev();
        let hops = lists.flat_map(|list| list.as_bytes().rsplit(|&byte| byte == b','));
        for hop in hops {
            let Some(ip) = address(hop) else { break };
            client = ip;
            if !self.trust(Caller::Address(ip)) {
                break;
            }
        }
        client
    }
}

/// An address, with a port or not.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let ip = text.parse::<IpAddr>().ok();
    ip.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(|ip| ip.to_canonical())
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

    fn client(caller: Caller, sent: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "unix"];
        let proxies = Proxies(trusted.iter().map(|it| it.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for list in sent {
            headers.append(FORWARDED, list.parse().unwrap());
        }
        proxies.client(caller, &headers).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let proxy = Caller::Address([10, 0, 0, 1].into());
        let cases: [(&[&str], &str); 13] = [
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
        ];
        for (sent, expected) in cases {
            assert_eq!(client(proxy, sent), expected, "{sent:?}");
        }
        assert_eq!(client(Caller::Unix, &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(Caller::Unix, &[]), "0.0.0.0");
    }

    #[test]
    fn who_is_no_proxy_speaks_for_nobody_else() {
        let stranger = Caller::Address([192, 0, 2, 2].into());
        assert_eq!(client(stranger, &["198.51.100.7"]), "192.0.2.2");
        assert_eq!(
            Proxies::default().client(Caller::Unix, &HeaderMap::new()).to_string(),
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
        let stranger = Caller::Address([192, 0, 2, 2].into());
        assert!(secure(Caller::Unix, &["HTTPS"]));
        assert!(!secure(stranger, &["https"]));
        for sent in [&[][..], &["http"], &["https", "https"], &["https, http"]] {
            assert!(!secure(Caller::Unix, sent), "{sent:?}");
        }
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
