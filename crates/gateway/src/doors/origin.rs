//! Which web pages may use the doors, and the headers that tell their browsers so (CORS, WHATWG
//! Fetch).
use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use quadrille_core::ws::Origins;

/// How long a browser need not ask again, in seconds.
const MAX_AGE: &str = "600";

/// Refuse pages from elsewhere, whatever they ask; programs send no `Origin`.
pub(super) async fn guard(
    State(origins): State<Origins>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let allowed = origins.check(headers);
    let origin = headers.get(ORIGIN).filter(|_| allowed.is_ok()).cloned();
    let mut response = match allowed {
        Err(problem) => problem.into_response(),
        Ok(()) if is_preflight(&request) => preflight(),
        Ok(()) => next.run(request).await,
    };
    tell(response.headers_mut(), origin);
    response
}

/// What scripts of these pages may read of an answer besides its body.
const EXPOSED: &str = "Quadrille-Position, Quadrille-Turn, Retry-After, X-Request-Id";

fn is_preflight(request: &Request) -> bool {
    let asks = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && asks(ORIGIN) && asks(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
        ),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn tell(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
