//! Traces: a span for each HTTP request, sent to a collector. Only in builds with the feature
//! `otel`, and there only if a collector is configured.
#[cfg(not(feature = "otel"))]
mod none;
#[cfg(feature = "otel")]
mod otlp;

#[cfg(not(feature = "otel"))]
pub(crate) use self::none::Traces;
#[cfg(feature = "otel")]
pub(crate) use self::otlp::Traces;
