//! What operators ask: is it alive, does it take traffic, what has it counted, what is there.
use std::{fmt::Write, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::options,
};
use metrics_exporter_prometheus::PrometheusHandle;
use quadrille_core::{Shares, telemetry};
use quadrille_edge::http::{Problem, Site, compress};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::route::Route;

/// Paths that no protocol can have.
pub(crate) const PATHS: [&str; 4] = ["/", "/healthz", "/readyz", "/metrics"];

/// Says what cannot be written to, and why.
type FaultCheck = dyn Fn() -> Option<String> + Send + Sync;

#[derive(Clone)]
struct Ops {
    metrics: PrometheusHandle,
    shares: Shares,
    leaving: CancellationToken,
    fault: Arc<FaultCheck>,
    listing: Arc<str>,
}

/// `leaving` turns `/readyz` to 503, and so does a fault of what is kept.
pub(crate) fn router(
    metrics: PrometheusHandle,
    shares: Shares,
    leaving: CancellationToken,
    fault: impl Fn() -> Option<String> + Send + Sync + 'static,
    routes: &[Route],
) -> (Router, OpenApi) {
    let paths: Vec<_> =
        PATHS.into_iter().chain(routes.iter().map(|route| route.path.as_str())).collect();
    let known = format!("there are {}", paths.join(", "));
    let (router, described) = OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .merge(OpenApiRouter::new().routes(routes!(exposition)).layer(compress()))
        .split_for_parts();
    let router = router
        // The usual question of HAProxy.
        .route("/", options(readyz))
        .route("/readyz", options(readyz))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |_: Request| {
            Problem::new(StatusCode::NOT_FOUND, "/problems/not-found", "nothing is at this path")
                .detail(known)
        })
        .with_state(Ops {
            metrics,
            shares,
            leaving,
            fault: Arc::new(fault),
            listing: listing(routes).into(),
        });
    (router, described)
}

pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("{method} has no meaning here; the header Allow names the methods");
    let title = "method not allowed";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "/problems/method", title).detail(detail)
}

/// See what there is
#[utoipa::path(
    get,
    path = "/",
    tag = "operators",
    responses((status = 200, description = "A line for each path", body = String))
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

/// Ask whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operators",
    responses((status = 200, description = "It does", body = String))
)]
async fn healthz() -> &'static str {
    "ok"
}

/// Ask whether the process takes traffic
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operators",
    responses(
        (status = 200, description = "It does", body = String),
        (status = 503, description = "It shuts down, or cannot store anything", body = String),
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

/// Read what the process counts
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operators",
    responses((status = 200, description = "Samples for Prometheus", body = String))
)]
async fn exposition(State(ops): State<Ops>) -> Response {
    const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    telemetry::pools(&ops.shares);
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
    line("/healthz", "200 while the process lives");
    line("/readyz", "200 while it takes traffic, 503 while it shuts down or cannot store");
    line("/metrics", "what it counts, for Prometheus");
    text
}
