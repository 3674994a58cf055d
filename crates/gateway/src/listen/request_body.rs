//! Request bodies whose rest is discarded if they are dropped unread, as after an early refusal. Many
//! clients read the response only after sending everything, and closing before would lose it (RFC
//! 9112, 9.6).
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Bytes, HttpBody},
    http::{Request, header::EXPECT},
};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use quadrille_core::Life;
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use super::{
    connection::HttpConnection,
    discard::{CLOSING_TIMEOUT, IDLE_TIMEOUT, MAX_BYTES, TOTAL_TIMEOUT},
};

/// Body of a request. If it is dropped before its end, a task reads and discards the rest,
/// at most [`MAX_BYTES`] within [`TOTAL_TIMEOUT`]; the connection then goes on with its next request. Beyond the
/// bounds the connection is closed.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// `None` once a task discards it.
    incoming: Option<Incoming>,
    /// `None` once it has ended, so that a request without a body has no cost.
    unread: Option<Box<Unread>>,
}

#[derive(Debug)]
struct Unread {
    connection: HttpConnection,
    life: Life,
    /// The client waits for `100 Continue`, and has not got it: it may send no body.
    withheld: bool,
}

impl RequestBody {
    /// Replaces the body of `request`, which came over `connection`.
    pub(crate) fn of(
        request: Request<Incoming>,
        connection: &HttpConnection,
        life: &Life,
    ) -> Request<Self> {
        let (parts, incoming) = request.into_parts();
        let unread = (!incoming.is_end_stream()).then(|| {
            connection.on_body();
            let withheld = parts.headers.contains_key(EXPECT);
            Unread { connection: connection.clone(), life: life.clone(), withheld }.into()
        });
        Request::from_parts(parts, Self { incoming: Some(incoming), unread })
    }

    fn ended(&mut self) {
        if let Some(unread) = self.unread.take() {
            unread.connection.on_body_end();
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(unread) = &mut this.unread {
            unread.withheld = false;
        }
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let is_end = incoming.is_end_stream();
        match &frame {
            None => this.ended(),
            // The start of the next request cannot be found.
            Some(Err(_)) => this.unread = None,
            Some(Ok(_)) if is_end => this.ended(),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let (Some(unread), Some(incoming)) = (self.unread.take(), self.incoming.take()) else {
            return;
        };
        // Reading would send `100 Continue`.
        if unread.withheld || Handle::try_current().is_err() {
            return;
        }
        let Unread { connection, life, .. } = *unread;
        life.spawn("discard", async move { discard(incoming, &connection).await });
    }
}

/// Reads and discards the rest of a body, within bounds.
async fn discard(mut rest: Incoming, connection: &HttpConnection) {
    let begin = Instant::now();
    let mut left = MAX_BYTES;
    let all = async {
        loop {
            let idle = IDLE_TIMEOUT.min(TOTAL_TIMEOUT.saturating_sub(begin.elapsed()));
            match timeout(idle, rest.frame()).await {
                Ok(None) => return connection.on_body_end(),
                Ok(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    let Some(less) = left.checked_sub(length) else { return };
                    left = less;
                }
                Ok(Some(Err(_))) | Err(_) => return,
            }
        }
    };
    let closing = async {
        connection.closing().await;
        tokio::time::sleep(CLOSING_TIMEOUT).await;
    };
    tokio::select! {
        () = all => {}
        () = closing => {}
    }
}
