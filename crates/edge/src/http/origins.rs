//! Web pages that may connect (RFC 6454), and which of them may bring a cookie.
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use quadrille_core::telemetry;

use crate::http::Problem;

#[cfg(any(test, fuzzing))]
pub mod fuzz;

/// The web pages that may connect. Programs other than browsers send no `Origin` and may always.
/// Pages of this machine may where the request is for this machine, and no such page is listed:
/// they need not be trusted less than any other program on it.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    any: bool,
    own: bool,
    /// Address of the gateway itself, as clients see it.
    public: Option<Origin>,
    listed: Vec<Entry>,
}

/// The reason for which a page may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOrigin {
    /// No page: a program sends the request.
    None,
    /// Its host is that of the request.
    Own,
    /// Its host is this machine, and so is that of the request.
    Local,
    /// The list has its origin.
    Listed,
    /// The list has `*`.
    Any,
}

/// The text is not an origin.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not an origin; write {expected}")]
pub struct BadOrigin {
    found: String,
    expected: &'static str,
}

/// Scheme, host and port, as they are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// `None` for the one that the scheme has anyway.
    port: Option<u16>,
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    One(Origin),
    /// Every host below that of the origin.
    Below(Origin),
}

// === impl Origins ===

impl Origins {
    /// Allows the pages of these origins, `scheme://host[:port]` each, where `*.` at the beginning
    /// of the host stands for every host below it; `*` is all.
    pub fn new<S: AsRef<str>>(list: &[S]) -> Result<Self, BadOrigin> {
        let mut origins = Self::default();
        for text in list.iter().map(AsRef::as_ref) {
            if text == "*" {
                origins.any = true;
            } else {
                origins.listed.push(text.parse()?);
            }
        }
        Ok(origins)
    }

    /// Allows the pages of the request's own host, too, and of `public`, its address for clients.
    /// Only safe where a page needs a token, too: anybody can point a name at this machine.
    #[must_use]
    pub fn with_own(self, own: bool, public: Option<&str>) -> Self {
        let public = public.filter(|_| own).and_then(Origin::of_address);
        Self { own, public, ..self }
    }

    /// Refuses the request of a page that is not allowed.
    pub fn check(&self, headers: &HeaderMap) -> Result<PageOrigin, Problem> {
        if let Some(page) = self.page(headers) {
            return Ok(page);
        }
        let sent: Vec<_> =
            headers.get_all(header::ORIGIN).iter().map(HeaderValue::as_bytes).collect();
        telemetry::origin_refused(&sent.join(&b", "[..]));
        Err(Problem::new(StatusCode::FORBIDDEN, "/problems/origin", "origin not allowed")
            .detail("add the page's origin to server.origins"))
    }

    /// The reason to allow the page that sends a request; `None` if there is none.
    pub fn page(&self, headers: &HeaderMap) -> Option<PageOrigin> {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        let (origin, None) = (sent.next(), sent.next()) else { return None };
        let Some(origin) = origin else { return Some(PageOrigin::None) };
        let origin = Origin::sent(origin.to_str().ok()?);
        if let Some(origin) = &origin {
            if self.listed.iter().any(|entry| entry.has(origin)) {
                return Some(PageOrigin::Listed);
            }
            if self.public.as_ref() == Some(origin) || (self.own && origin.is_host_of(headers)) {
                return Some(PageOrigin::Own);
            }
            if origin.is_local() && !self.lists_local() && is_for_this_machine(headers) {
                return Some(PageOrigin::Local);
            }
        }
        self.any.then_some(PageOrigin::Any)
    }

    /// Whether the cookie of a request counts. A browser also adds cookies to the requests of
    /// foreign pages, so a request that changes something or opens a connection needs a known page.
    pub fn takes_cookie(&self, method: &Method, headers: &HeaderMap) -> bool {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if reads && !headers.contains_key(header::UPGRADE) {
            return true;
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let known = || {
            matches!(
                self.page(headers),
                Some(PageOrigin::Own | PageOrigin::Local | PageOrigin::Listed)
            )
        };
        // A program opens a connection without any page.
        matches!(site, Some(b"same-origin" | b"none"))
            || known()
            || (reads && site.is_none() && !headers.contains_key(header::ORIGIN))
    }

    /// Whether a page of this machine is listed, which then is the only one.
    fn lists_local(&self) -> bool {
        self.listed.iter().any(|entry| matches!(entry, Entry::One(origin) if origin.is_local()))
    }
}

// === impl Entry ===

impl Entry {
    fn has(&self, origin: &Origin) -> bool {
        match self {
            Self::One(one) => one == origin,
            Self::Below(above) => {
                let below = origin.host.strip_suffix(&above.host);
                let below = below.and_then(|below| below.strip_suffix('.'));
                below.is_some_and(|below| !below.is_empty())
                    && (&above.scheme, above.port) == (&origin.scheme, origin.port)
            }
        }
    }
}

impl std::str::FromStr for Entry {
    type Err = BadOrigin;

    /// Rejects an entry that cannot match: browsers send scheme, host and port, and nothing else.
    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        const EXPECTED: &str = "scheme and host, as in https://chat.example.com, or `*`";
        let bad = |expected| Err(BadOrigin { found: text.to_owned(), expected });
        let Some((scheme, rest)) = text.split_once("://") else { return bad(EXPECTED) };
        match scheme.to_ascii_lowercase().as_str() {
            "ws" | "wss" => {
                return bad("the page's scheme, http or https: not that of its WebSocket");
            }
            "file" | "data" | "" => return bad(EXPECTED),
            _ => {}
        }
        if rest.contains(['/', '?', '#']) {
            return bad("no more than scheme, host and port: nothing after them, and no slash");
        }
        let (below, host) = match rest.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, rest),
        };
        if host.contains('*') {
            return bad(
                "`*` alone, or one in place of all below a host, as in https://*.example.com",
            );
        }
        if !host.is_ascii() {
            return bad("the host as browsers send it, in ASCII: xn--…");
        }
        let origin = Origin::sent(&format!("{scheme}://{host}"));
        // There is nothing below an address.
        match origin.filter(|origin| !below || origin.host.parse::<std::net::Ipv4Addr>().is_err()) {
            Some(origin) if below && !origin.host.starts_with('[') => Ok(Self::Below(origin)),
            Some(origin) if !below => Ok(Self::One(origin)),
            _ => bad(EXPECTED),
        }
    }
}

// === impl Origin ===

impl Origin {
    /// Parses the `Origin` of a browser. `null` is none, nor is one with a user or a path.
    fn sent(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        if !scheme.bytes().all(plain) || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split(authority)?;
        let port = port.filter(|port| Some(*port) != usual(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Origin of an address, which may have a path.
    fn of_address(address: &str) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        Self::sent(&format!("{scheme}://{}", rest.split('/').next()?))
    }

    /// Whether the request is for the host of this origin; a proxy may have terminated TLS.
    fn is_host_of(&self, headers: &HeaderMap) -> bool {
        let Some(usual) = usual(&self.scheme) else { return false };
        requested_host(headers).is_some_and(|(host, port)| {
            host == self.host && port.filter(|port| *port != usual) == self.port
        })
    }

    fn is_local(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
            && matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

/// Default port of a scheme.
fn usual(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Splits `HOST[:PORT]` into the host, in lower case, and the port.
fn split(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons are those of an IPv6 address.
        Some(_) if authority.ends_with(']') => (authority, None),
        Some((host, port)) => {
            let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            (
                host,
                Some(digits.then(|| port.parse().ok()).flatten().filter(|&port: &u16| port > 0)?),
            )
        }
        None => (authority, None),
    };
    let host = host.to_ascii_lowercase();
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address {
        return Some((format!("[{}]", address.parse::<std::net::Ipv6Addr>().ok()?), port));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!host.is_empty() && host.bytes().all(plain)).then_some((host, port))
}

/// Host and port that a request is for.
fn requested_host(headers: &HeaderMap) -> Option<(String, Option<u16>)> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    split(host.to_str().ok()?)
}

/// Whether a request is for this machine, by name or by address.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let Some((host, _)) = requested_host(headers) else { return false };
    let host = host.strip_suffix('.').unwrap_or(&host);
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let v6 = v6.and_then(|v6| v6.parse::<std::net::Ipv6Addr>().ok());
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|v4| v4.is_loopback())
        || v6.is_some_and(|v6| v6.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
