//! HTTP client of the exporter: runs requests on the runtime, for a thread outside of it.
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use quadrille_core::Life;
use reqwest::{Client, redirect};
use tokio::{runtime::Handle, sync::oneshot};

/// Time for the collector to respond.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct SpanSender {
    client: Client,
    runtime: Handle,
    /// Its own, as the shutdown does not wait for requests.
    life: Life,
    /// The last request failed, and that was logged.
    failing: AtomicBool,
}

impl SpanSender {
    pub(super) fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("quadrille/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let runtime = Handle::current();
        Ok(Self { client, runtime, life: Life::new(), failing: AtomicBool::new(false) })
    }

    /// Logs the first failure, and the recovery.
    fn log(&self, sent: Result<(), &(dyn std::error::Error + 'static)>) {
        let was_failing = self.failing.swap(sent.is_err(), Relaxed);
        match sent {
            Err(error) if !was_failing => {
                tracing::warn!(error, "cannot send traces to otel.endpoint; spans are dropped");
            }
            Ok(()) if was_failing => tracing::info!("traces are sent again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for SpanSender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let (respond, response) = oneshot::channel();
        let client = self.client.clone();
        let send = async move {
            let response = client.execute(request).await;
            // Fails if the exporter has stopped.
            respond.send(response.and_then(reqwest::Response::error_for_status)).ok();
        };
        {
            let _entered = self.runtime.enter();
            self.life.spawn("traces", send);
        }
        match response.await? {
            Ok(response) => {
                self.log(Ok(()));
                Ok(Response::builder().status(response.status()).body(Bytes::new())?)
            }
            Err(err) => {
                let err = err.without_url();
                self.log(Err(&err));
                Err(err.into())
            }
        }
    }
}
