//! OpenTelemetry: from the end of a request to the collector.
//!
//! A full queue, 2048 spans, drops spans; a request that fails is not repeated. Traces never hold
//! anything up.
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

/// How long the end of the process waits for the last spans to be sent.
const LAST: Duration = Duration::from_secs(2);

/// The traces of the process, if somebody wants them.
#[derive(Debug)]
pub(crate) struct Traces(Option<(SdkTracerProvider, Tracer)>);

impl Traces {
    /// Begin to send what [`Self::layer`] sees to `otel.endpoint`.
    pub(crate) fn start(config: &Config, sources: &Sources) -> Result<Self, config::Error> {
        let endpoint = config.otel.endpoint.trim_end_matches('/');
        if endpoint.is_empty() {
            return Ok(Self(None));
        }
        let blame = |err: String| sources.invalid("otel.endpoint", err);
        let sender = SpanSender::new().map_err(|err| invalid(format!("no HTTP client: {err}")))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(sender::PATIENCE)
            .build()
            .map_err(|err| invalid(format!("expected the address of a collector: {err}")))?;
        // What OTEL_RESOURCE_ATTRIBUTES says comes last, and wins.
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

    /// `app`, with a span for each request.
    pub(crate) fn layer(&self, app: Router) -> Router {
        match &self.0 {
            Some((_, tracer)) => {
                app.layer(middleware::from_fn_with_state(tracer.clone(), request::trace))
            }
            None => app,
        }
    }

    /// Send what is left, for at most two seconds.
    pub(crate) async fn finish(self) {
        if let Some((provider, _)) = self.0 {
            let flush = move || provider.shutdown_with_timeout(LAST);
            // What could not be sent, the sender has told.
            tokio::task::spawn_blocking(flush).await.ok();
        }
    }
}
