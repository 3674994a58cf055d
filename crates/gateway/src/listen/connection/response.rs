//! Responses in progress: the bytes that count until their client has taken them.
use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{StatusCode, header::VARY},
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use quadrille_core::{HeldBytes, SessionInfo, Shortage};
use quadrille_edge::http::{Carrier, Problem};

use super::HttpConnection;

/// Bytes of a response that is written at once.
const MAX_SHORT: u64 = 64 << 10;

/// Delay before a response that found no room is requested again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes of the largest response that is built in memory.
const MAX_IN_MEMORY: u64 = 8 << 20;

impl HttpConnection {
    /// Tracks a response. One with a session in its extensions lasts as long as that; otherwise the
    /// connection is busy until all of it is written. Responses that are whole in memory count in the
    /// pool `output` until then, for the holder of `carrier`. Without room for one, it is 503 or 429
    /// instead if `may_refuse`: if the request changed nothing.
    pub(crate) fn track_response(
        &self,
        response: Response,
        carrier: &Carrier,
        may_refuse: bool,
    ) -> Response {
        self.shared.answered.store(true, Relaxed);
        if let Some(info) = response.extensions().get::<Arc<SessionInfo>>() {
            self.on_session(info);
        }
        let (is_stranger, buffers) = {
            let state = self.state();
            (state.permit.holder().is_stranger(), state.permit.buffers())
        };
        let size = response.body().size_hint().exact();
        if size.is_some_and(|bytes| bytes <= MAX_SHORT) {
            if is_stranger {
                self.state().permit.set_busy(false);
            }
            return response;
        }
        let mut counted = buffers.sending();
        // A larger one is a file, which is read as it is sent.
        let whole = size
            .filter(|bytes| *bytes <= MAX_IN_MEMORY)
            .and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(bytes) = whole {
            let holder = carrier.holder();
            if !may_refuse {
                counted.hold_anyway(bytes, &holder);
            } else if let Err(shortage) = counted.hold(bytes, || holder) {
                return busy(&response, shortage);
            }
        }
        if !is_stranger && whole.is_none() {
            return response;
        }
        let connection = is_stranger.then(|| self.clone());
        response.map(|body| Body::new(CountedBody { body, connection, _counted: counted }))
    }
}

/// Replaces `refused`, for which there is no room; keeps its CORS headers.
fn busy(refused: &Response, shortage: Shortage) -> Response {
    let (status, title) = match shortage {
        Shortage::Share => {
            (StatusCode::TOO_MANY_REQUESTS, "too many unread responses of this user")
        }
        Shortage::Full | Shortage::Strangers => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many unread responses")
        }
    };
    let problem = Problem::new(status, "/problems/busy", title)
        .detail("read the pending responses, or retry after the time in Retry-After")
        .retry_after(RETRY_AFTER);
    let mut response = problem.into_response();
    for (name, value) in refused.headers() {
        if *name == VARY || name.as_str().starts_with("access-control-") {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// Body of a response in progress, with the bytes that it counts.
#[derive(Debug)]
struct CountedBody {
    body: Body,
    /// Marked idle at the end, if its client has no token.
    connection: Option<HttpConnection>,
    _counted: HeldBytes,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for CountedBody {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.state().permit.set_busy(false);
        }
    }
}
