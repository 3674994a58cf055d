//! Web pages that may use the endpoints, and the headers that tell their browsers so (CORS, WHATWG
//! Fetch).
use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
            ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use quadrille_edge::{
    Core,
    http::{Origins, PageOrigin},
};

use crate::ops;

/// Seconds for which a browser may cache a preflight response.
const MAX_AGE: &str = "600";

/// Adds to `router` the check of origins, the CORS headers, and a response to methods that it lacks.
pub(crate) fn guarded(router: Router, core: &Core) -> Router {
    router
        .method_not_allowed_fallback(ops::method_not_allowed)
        .layer(middleware::from_fn_with_state(core.origins.clone(), guard))
}

/// Refuses requests from pages of other origins; programs send no `Origin`.
async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let page = origins.check(headers);
    let origin = headers.get(ORIGIN).cloned();
    let (mut response, page) = match page {
        Err(problem) => (problem.into_response(), None),
        Ok(page) if is_preflight(&request) => (preflight(request.headers()), Some(page)),
        Ok(page) => (next.run(request).await, Some(page)),
    };
    add_headers(response.headers_mut(), origin, page);
    response
}

/// Response headers that scripts may read, besides those that they always may.
const EXPOSED: &str = "Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, \
                       Quadrille-Position, Quadrille-Turn, Retry-After, WWW-Authenticate, X-Claim, \
                       X-Request-Id";

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// Request headers that are always allowed.
const HEADERS: &str = "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, \
                       If-Range, Last-Event-ID, Range, X-Claim, X-Request-Id, X-Requested-With";

fn is_preflight(request: &Request) -> bool {
    let asks = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && asks(ORIGIN) && asks(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Allows every requested header, as clients have many of their own (`Cache-Control` of polyfills for
/// `EventSource`, `x-stainless-*`, `User-Agent`) and none has a privileged meaning here. Access is
/// decided by the origin alone.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let named =
        asked.filter_map(|header| header.to_str().ok()).filter(|header| !header.trim().is_empty());
    let allowed = [HEADERS].into_iter().chain(named).collect::<Vec<_>>().join(", ");
    let allowed = HeaderValue::try_from(allowed).unwrap_or(HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    response
}

/// Adds the CORS headers. Credentials are allowed for origins that are listed by name only, so that `*`
/// does not expose what browsers send by themselves.
fn add_headers(headers: &mut HeaderMap, origin: Option<HeaderValue>, page: Option<PageOrigin>) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let (Some(origin), Some(page)) = (origin, page) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    if page == PageOrigin::Listed {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
