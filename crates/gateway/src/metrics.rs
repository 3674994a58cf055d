//! Prometheus exporter.
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use quadrille_core::{Life, telemetry::METRICS};

/// Interval of upkeep; the exporter keeps every sample of a histogram until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder. Earlier samples are lost, so it comes first.
pub(crate) fn install(life: &Life) -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    for (name, help) in METRICS {
        if name.ends_with("_total") {
            metrics::describe_counter!(*name, *help);
        } else {
            metrics::describe_gauge!(*name, *help);
        }
    }
    life.spawn("metrics", upkeep(handle.clone(), life.clone()));
    Ok(handle)
}

async fn upkeep(handle: PrometheusHandle, life: Life) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = life.draining() => return,
            _ = ticks.tick() => handle.run_upkeep(),
        }
    }
}
