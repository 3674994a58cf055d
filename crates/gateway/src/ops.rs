//! Endpoints of operators: liveness, readiness, metrics, and the listing of endpoints.
use std::{fmt::Write, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::options,
};
use metrics_exporter_prometheus::PrometheusHandle;
use quadrille_core::Shares;
use quadrille_edge::http::{Problem, Site, compress};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::route::Route;

/// Paths that no protocol can have.
pub(crate) const PATHS: [&str; 4] = ["/", "/healthz", "/readyz", "/metrics"];

/// Returns the part of the storage that cannot be written to, and the reason.
type FaultCheck = dyn Fn() -> Option<String> + Send + Sync;

#[derive(Clone)]
struct Ops {
    metrics: PrometheusHandle,
    shares: Shares,
    leaving: CancellationToken,
    fault: Arc<FaultCheck>,
    listing: Arc<str>,
}

/// `leaving` turns `/readyz` to 503, and so does a storage fault.
pub(crate) fn router(
    metrics: PrometheusHandle,
    shares: Shares,
    leaving: CancellationToken,
    fault: impl Fn() -> Option<String> + Send + Sync + 'static,
    listed: &[Route],
) -> (Router, OpenApi) {
    let paths: Vec<_> =
        PATHS.into_iter().chain(listed.iter().map(|route| route.path.as_str())).collect();
    let known = format!("the paths are {}", paths.join(", "));
    let (router, described) = OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .merge(OpenApiRouter::new().routes(routes!(exposition)).layer(compress()))
        .split_for_parts();
    let router = router
        // Default health check of HAProxy.
        .route("/", options(readyz))
        .route("/readyz", options(readyz))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |_: Request| {
            Problem::new(StatusCode::NOT_FOUND, "/problems/not-found", "no such path").detail(known)
        })
        .with_state(Ops {
            metrics,
            shares,
            leaving,
            fault: Arc::new(fault),
            listing: listing(listed).into(),
        });
    (router, described)
}

pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("{method} is not supported here; see the header Allow");
    let title = "method not allowed";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "/problems/method", title).detail(detail)
}

/// List endpoints
#[utoipa::path(
    get,
    path = "/",
    tag = "operators",
    responses((status = 200, description = "One line for each path", body = String))
)]
async fn root(State(ops): State<Ops>, request: Request) -> String {
    let site = request.extensions().get::<Site>().cloned().unwrap_or_default();
    if site.path.is_empty() {
        return ops.listing.to_string();
    }
    let below = |line: &str| {
        let path = if line.starts_with('/') { &*site.path } else { "" };
        format!("{path}{line}\n")
    };
    ops.listing.lines().map(below).collect()
}

/// Liveness probe
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operators",
    responses((status = 200, description = "The process runs", body = String))
)]
async fn healthz() -> &'static str {
    "ok"
}

/// Readiness probe
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operators",
    responses(
        (status = 200, description = "Ready for traffic", body = String),
        (status = 503, description = "Shutting down, or the storage cannot be written to", body = String),
    )
)]
async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    if ops.leaving.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining".to_owned());
    }
    match (ops.fault)() {
        Some(err) => (StatusCode::SERVICE_UNAVAILABLE, err),
        None => (StatusCode::OK, "ready".to_owned()),
    }
}

/// Prometheus metrics
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operators",
    responses((status = 200, description = "Metrics in the text format of Prometheus", body = String))
)]
async fn exposition(State(ops): State<Ops>) -> Response {
    const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    ops.shares.report();
    ([(header::CONTENT_TYPE, TYPE)], ops.metrics.render()).into_response()
}

fn listing(routes: &[Route]) -> String {
    let mut text = format!("quadrille {}\n\n", env!("CARGO_PKG_VERSION"));
    let width = routes.iter().map(|route| route.path.len()).max().unwrap_or_default().max(10);
    let mut line = |path: &str, summary: &str| {
        writeln!(text, "{path:<width$} {summary}").expect("a String takes all");
    };
    for route in routes {
        line(&route.path, &format!("{}: {}", route.name, route.summary));
    }
    line("/healthz", "liveness: 200 while the process runs");
    line("/readyz", "readiness: 503 during shutdown, or if the storage cannot be written to");
    line("/metrics", "metrics for Prometheus");
    text
}
