//! What operators ask: is it alive, does it take traffic, what has it counted, what is there.
use std::fmt::Write;

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use quadrille_core::Problem;
use tokio_util::sync::CancellationToken;

use crate::app::Door;

/// Paths that no protocol can have.
pub(crate) const PATHS: [&str; 4] = ["/", "/healthz", "/readyz", "/metrics"];

/// `leaving` turns `/readyz` to 503.
pub(crate) fn router(
    metrics: PrometheusHandle,
    leaving: CancellationToken,
    doors: &[Door],
) -> Router {
    let [root, healthz, readyz, exporter] = PATHS;
    let listing = listing(doors);
    let paths: Vec<_> = PATHS.into_iter().chain(doors.iter().map(|it| it.path.as_str())).collect();
    let known = format!("there are {}", paths.join(", "));
    Router::new()
        .route(root, get(async move || listing))
        .route(healthz, get(async || "ok"))
        .route(readyz, get(async move || ready(&leaving)))
        .route(exporter, get(async move || exposition(&metrics)))
        .fallback(async move |_: Request| {
            Problem::new(StatusCode::NOT_FOUND, "/problems/not-found", "nothing is at this path")
                .detail(known)
        })
}

fn ready(leaving: &CancellationToken) -> (StatusCode, &'static str) {
    if leaving.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ready")
    }
}

fn exposition(metrics: &PrometheusHandle) -> Response {
    const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, TYPE)], metrics.render()).into_response()
}

fn listing(doors: &[Door]) -> String {
    let mut text = format!("quadrille {}\n\n", env!("CARGO_PKG_VERSION"));
    for door in doors {
        writeln!(text, "{:<10} {}: {}", door.path, door.name, door.what)
            .expect("a String takes all");
    }
    text + "/healthz   200 while the process lives\n\
            /readyz    200 while it takes traffic, 503 while it shuts down\n\
            /metrics   what it counts, for Prometheus\n"
}
