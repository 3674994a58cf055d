//! The opening handshake (RFC 6455, section 4.2).
use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};

use crate::http::Problem;

/// A request that may become a WebSocket.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Checks that `request` is an opening handshake; the error is the answer to another request.
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

    /// Gives the answer that accepts, and the connection once the answer is sent.
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
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
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
}
