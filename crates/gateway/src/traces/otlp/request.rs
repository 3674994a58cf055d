//! The span of one HTTP request: from its head to that of its response. Data after a handshake, or of a
//! stream, is not part of it.
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Span, SpanKind, Status, Tracer as _},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::Tracer};

use crate::ops;

/// Upper bound on `tracestate` in bytes, which every participant has to accept (W3C Trace Context,
/// 3.3.1.5). A longer one is dropped.
const MAX_STATE: usize = 512;

/// The headers of W3C Trace Context.
struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok().filter(|value| value.len() <= MAX_STATE)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Traces a request, except probes and scrapes of operators.
pub(super) async fn trace(
    State(tracer): State<Tracer>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let route = route.as_ref().map(MatchedPath::as_str);
    if route.is_some_and(|route| ops::PATHS.contains(&route)) {
        return next.run(request).await;
    }
    let mut span = start(&tracer, request.method(), route, request.headers());
    let response = next.run(request).await;
    let status = response.status();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new("error.type", status.as_u16().to_string()));
        span.set_status(Status::error(""));
    }
    response
}

/// Starts a span with the attributes of the semantic conventions for HTTP, but without path, query and
/// peer, which may name topics, users and tokens.
fn start(
    tracer: &Tracer,
    method: &Method,
    route: Option<&str>,
    headers: &HeaderMap,
) -> opentelemetry_sdk::trace::Span {
    let parent =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers));
    let known = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS];
    let known = known.iter().find(|candidate| *candidate == method);
    let (word, method) =
        known.map_or(("HTTP", "_OTHER"), |method| (method.as_str(), method.as_str()));
    let name = route.map_or_else(|| word.to_owned(), |route| format!("{word} {route}"));
    let mut attributes = vec![KeyValue::new("http.request.method", method.to_owned())];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    let span = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    tracer.build_with_context(span, &parent)
}
