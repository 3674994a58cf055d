//! The opening handshake (RFC 6455, section 4.2), and who may begin one.
use std::{net::IpAddr, net::Ipv4Addr};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};

use crate::Problem;

/// The address of the client. The listener puts it into every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The address that the listener put into `request`; an unspecified one if there is none, as
    /// on a unix socket.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::within(request.extensions())
    }

    /// [`Self::of`] a request that was taken apart.
    pub fn within(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}

/// The web pages that may connect. Programs that are not browsers send no `Origin` and are not
/// concerned. Pages of this very machine are always let in: they need not be trusted less than any
/// other program on it.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    any: bool,
    own: bool,
    listed: Vec<String>,
}

/// The text is not an origin.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an origin; write scheme and host, as in https://chat.example.com, or `*`")]
pub struct BadOrigin(String);

impl Origins {
    /// The pages of these origins, `scheme://host[:port]` each; `*` is all.
    pub fn new<S: AsRef<str>>(list: &[S]) -> Result<Self, BadOrigin> {
        let mut origins = Self::default();
        for text in list.iter().map(AsRef::as_ref) {
            if text == "*" {
                origins.any = true;
            } else if split(text).is_some_and(|(_, host)| !host.is_empty()) {
                origins.listed.push(text.to_ascii_lowercase());
            } else {
                return Err(BadOrigin(text.to_owned()));
            }
        }
        Ok(origins)
    }

    /// Let in the pages of the very host that is asked, too. Only for where a page needs more than
    /// to be there: whoever has a name can make it point here.
    #[must_use]
    pub fn with_own(self, own: bool) -> Self {
        Self { own, ..self }
    }

    /// Refuse a request of a page from elsewhere.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        let allowed = match (sent.next(), sent.next()) {
            (None, _) => true,
            (Some(origin), None) => origin
                .to_str()
                .is_ok_and(|origin| self.allows(origin) || (self.own && is_own(origin, headers))),
            (Some(_), Some(_)) => false,
        };
        if allowed {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "/problems/origin", "origin not allowed")
            .detail("add the page's origin to server.origins"))
    }

    fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.any || self.listed.contains(&origin) || is_loopback(&origin)
    }
}

/// Scheme and authority of an origin, which has neither a path nor anything after it.
fn split(origin: &str) -> Option<(&str, &str)> {
    let (scheme, authority) = origin.split_once("://")?;
    let plain = |c: char| c.is_ascii_graphic() && !"/?#@\\".contains(c);
    authority.chars().all(plain).then_some((scheme, authority))
}

/// Whether `origin` is the host that the request is for.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some((scheme, authority)) = split(origin) else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    // Neither names the port that is usual, or only one does.
    let plain = |it: &str| it.strip_suffix(port).unwrap_or(it).to_ascii_lowercase();
    !authority.is_empty() && host.to_str().is_ok_and(|host| plain(host) == plain(authority))
}

fn is_loopback(origin: &str) -> bool {
    let Some((scheme, authority)) = split(origin) else { return false };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(scheme, "http" | "https") && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A request that may become a WebSocket.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Check that `request` is an opening handshake; the error is the answer if it is not.
    #[expect(clippy::result_large_err, reason = "an answer is that large, and goes straight out")]
    pub fn of<B>(request: &mut Request<B>) -> Result<Self, Response> {
        let headers = request.headers();
        let upgrade = has_token(headers, &header::CONNECTION, "upgrade")
            && has_token(headers, &header::UPGRADE, "websocket");
        if !upgrade {
            return Err(refuse(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket"));
        }
        if request.method() != Method::GET {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "a handshake is a GET"));
        }
        if request.version() != Version::HTTP_11 {
            return Err(refuse(StatusCode::BAD_REQUEST, "a handshake needs HTTP/1.1"));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(refuse(StatusCode::UPGRADE_REQUIRED, "only version 13 is spoken here"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
        let Some(key) = key.filter(|key| STANDARD.decode(key).is_ok_and(|raw| raw.len() == 16))
        else {
            return Err(refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is not a key"));
        };
        let accept = accept(key);
        Ok(Self { accept, upgrade: hyper::upgrade::on(request) })
    }

    /// The answer that accepts, and the connection once the answer is sent.
    pub fn accept(self) -> (Response, impl Future<Output = hyper::Result<TokioIo<Upgraded>>>) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        (response, async { self.upgrade.await.map(TokioIo::new) })
    }
}

/// Whether the comma-separated list of the headers `name` has `token`, in any case.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(token))
}

fn accept(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::try_from(STANDARD.encode(digest.finalize())).expect("base64 is plain ASCII")
}

fn refuse(status: StatusCode, detail: &'static str) -> Response {
    let problem = Problem::new(status, "/problems/not-a-websocket", "not a WebSocket handshake");
    let mut response = problem.detail(detail).into_response();
    if status == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_is_that_of_the_rfc() {
        // RFC 6455, 1.3
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn pages_from_elsewhere_are_refused_unless_listed() {
        let origins = Origins::new(&["https://chat.example.com"]).unwrap();
        let allowed = [
            "http://localhost:3000",
            "https://LOCALHOST",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "https://chat.example.com",
            "https://Chat.Example.com",
        ];
        let refused = [
            "null",
            "",
            "https://evil.example",
            "https://chat.example.com.evil.example",
            "https://chat.example.com:444",
            "http://chat.example.com",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost:80@evil.example",
            "http://evil.example/http://localhost",
            "http://localhost:",
            "file://localhost",
            "http://127.0.0.2",
        ];
        assert!(allowed.iter().all(|origin| origins.allows(origin)));
        for origin in refused {
            assert!(!origins.allows(origin), "{origin}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("Chat.example.org:443"));
        let own = origins.with_own(true);
        let check = |origin: &'static str| {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            own.check(&headers).is_ok()
        };
        let pages = [
            "https://chat.example.org",
            "https://chat.example.org:443",
            "http://chat.example.org",
            "https://chat.example.org:8443",
            "https://x.chat.example.org",
            "ftp://chat.example.org:443",
        ];
        assert_eq!(pages.map(check), [true, true, false, false, false, false]);
        assert!(Origins::new(&["*"]).unwrap().allows("https://evil.example"));
        for text in ["example.com", "https://", "https://a/b"] {
            assert_eq!(Origins::new(&[text]).unwrap_err(), BadOrigin(text.into()));
        }
    }
}
