//! OpenTelemetry: exports the span of each request to the collector.
//!
//! A full queue, 2048 spans, drops spans; a failed export is not retried. Traces never block.
mod request;
mod sender;

use std::time::Duration;

use axum::{Router, middleware};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{SdkTracerProvider, Tracer},
};

use self::sender::SpanSender;
use crate::config::{self, Config, Sources};

/// Time for sending the last spans at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Traces of the process, if a collector is configured.
#[derive(Debug)]
pub(crate) struct Traces(Option<(SdkTracerProvider, Tracer)>);

impl Traces {
    /// Starts the export to `otel.endpoint`.
    pub(crate) fn start(config: &Config, sources: &Sources) -> Result<Self, config::Error> {
        let endpoint = config.otel.endpoint.trim_end_matches('/');
        if endpoint.is_empty() {
            return Ok(Self(None));
        }
        let invalid = |err: String| sources.invalid("otel.endpoint", err);
        let sender = SpanSender::new().map_err(|err| invalid(format!("no HTTP client: {err}")))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(sender::REQUEST_TIMEOUT)
            .build()
            .map_err(|err| invalid(format!("expected the address of a collector: {err}")))?;
        // Last, so that OTEL_RESOURCE_ATTRIBUTES wins.
        let resource = Resource::builder_empty()
            .with_service_name("quadrille")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_detector(Box::new(EnvResourceDetector::new()))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
        let provider = provider.build();
        let tracer = provider.tracer("quadrille");
        Ok(Self(Some((provider, tracer))))
    }

    /// Adds a span to each request of `app`.
    pub(crate) fn layer(&self, app: Router) -> Router {
        match &self.0 {
            Some((_, tracer)) => {
                app.layer(middleware::from_fn_with_state(tracer.clone(), request::trace))
            }
            None => app,
        }
    }

    /// Sends the spans that are left, for at most two seconds.
    pub(crate) async fn finish(self) {
        if let Some((provider, _)) = self.0 {
            let flush = move || provider.shutdown_with_timeout(FLUSH_TIMEOUT);
            // The sender has logged failures.
            tokio::task::spawn_blocking(flush).await.ok();
        }
    }
}
