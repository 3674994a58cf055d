//! Steps that every request goes through, whatever its route: client address, request id, host check,
//! and a line in the log.
use axum::{
    Router,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
        header::{ACCEPT_ENCODING, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE},
    },
    response::{IntoResponse, Response},
};
use quadrille_edge::http::Peer;
use tokio::time::Instant;
use tower::Service;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    base_path::BasePath,
    config::Config,
    hosts::Hosts,
    listen::connection::HttpConnection,
    listen::request_body::RequestBody,
    proxies::{ConnectionPeer, Proxies},
};

/// Header with the id of a request, in our logs and in those of a proxy.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Upper bound on an id that is accepted from a proxy, in bytes.
const MAX_ID: usize = 128;

/// Entry to all routes.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    app: Router,
    hosts: Hosts,
    proxies: Proxies,
    below: BasePath,
}

/// Visible ASCII only.
#[derive(Debug)]
struct RequestId(HeaderValue);

// === impl Edge ===

impl Edge {
    pub(crate) fn new(app: Router, below: BasePath, config: &Config) -> Self {
        let proxies = config.server.trusted_proxies.clone();
        Self { app, hosts: Hosts::new(config), proxies, below }
    }

    pub(crate) fn trusts(&self, caller: ConnectionPeer) -> bool {
        self.proxies.trust(caller)
    }

    pub(crate) async fn respond(
        &self,
        mut request: Request<RequestBody>,
        caller: ConnectionPeer,
        secure: bool,
        connection: HttpConnection,
    ) -> Response {
        let begin = Instant::now();
        let id = RequestId::of(request.headers(), self.trusts(caller));
        let peer = self.proxies.client(caller, request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let span = tracing::error_span!("request", id = id.text());
        let secure = self.proxies.forwarded_secure(caller, request.headers()).unwrap_or(secure);
        let prefix = self.proxies.forwarded_prefix(caller, request.headers());
        let without = self.below.without_base(&uri);
        let taken = without.is_some();
        if let Some(without) = without {
            *request.uri_mut() = without;
        }
        request.extensions_mut().insert(Peer(peer));
        let scheme = if secure { "https" } else { "http" };
        request.extensions_mut().insert(self.below.site(scheme, prefix, taken));
        request.extensions_mut().insert(connection.clone());
        let carrier = connection.carrier(peer);
        request.extensions_mut().insert(carrier.clone());
        forbid_compression(request.headers_mut());
        let response = match self.hosts.check(&request, caller == ConnectionPeer::Unix) {
            Ok(()) if is_bare_options(&request) => StatusCode::NO_CONTENT.into_response(),
            Ok(()) => match self.app.clone().call(request).instrument(span).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(problem) => problem.into_response(),
        };
        // A layer of the router would clone all services below it for each request.
        let mut response = connection.track_response(response, &carrier, method.is_safe());
        tracing::debug!(
            target: "quadrille::access",
            %method,
            // Without the query: there may be a token in it.
            path = uri.path(),
            status = response.status().as_u16(),
            took = ?begin.elapsed(),
            id = id.text(),
            %peer,
            "answered"
        );
        response.headers_mut().insert(REQUEST_ID, id.0);
        response
    }
}

/// Forbids compression where a browser may have added a cookie to a request of a foreign page; see
/// `compress`.
fn forbid_compression(headers: &mut HeaderMap) {
    if headers.contains_key(COOKIE) && !headers.contains_key(AUTHORIZATION) {
        headers.remove(ACCEPT_ENCODING);
    }
}

/// Whether the request is an OPTIONS that is no CORS preflight, as health checks send. `ops` answers
/// those whose response depends on readiness.
fn is_bare_options<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && !matches!(request.uri().path(), "/" | "/readyz")
        && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

// === impl RequestId ===

impl RequestId {
    /// Takes the id that a proxy set, if `trusted`, or makes a new one.
    fn of(headers: &HeaderMap, trusted: bool) -> Self {
        let mut sent = headers.get_all(REQUEST_ID).iter().filter(|_| trusted);
        let (Some(id), None) = (sent.next(), sent.next()) else { return Self::new() };
        let good =
            (1..=MAX_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        if good { Self(id.clone()) } else { Self::new() }
    }

    fn new() -> Self {
        let id = Uuid::now_v7().to_string();
        Self(HeaderValue::try_from(id).expect("hexadecimal digits and hyphens"))
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("visible ASCII, as it was made or checked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sent: &[&[u8]], trusted: bool) -> bool {
        let mut headers = HeaderMap::new();
        for id in sent {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
        }
        let id = RequestId::of(&headers, trusted);
        assert!(!id.text().is_empty());
        sent.contains(&id.0.as_bytes())
    }

    #[test]
    fn an_id_is_taken_over_from_who_is_trusted_if_it_is_a_word() {
        let (longest, longer) = ([b'x'; MAX_ID], [b'x'; MAX_ID + 1]);
        assert!(taken(&[b"4bf92f35-77b3"], true) && taken(&[&longest], true));
        assert!(!taken(&[b"4bf92f35-77b3"], false));
        for sent in [&b""[..], b"a b", b"a\tb", b"\xC3\xA4", &longer] {
            assert!(!taken(&[sent], true), "{sent:?}");
        }
        assert!(!taken(&[b"a", b"b"], true));
    }
}
