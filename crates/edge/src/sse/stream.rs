//! The body that streams events. It is polled when there is room to send and takes from the logs what
//! fits then, so that records wait nowhere but in them.
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{
    HeaderName,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
};
use http_body::{Body, Frame};
use quadrille_core::{BatchLimit, Close, Delivery, HeldBytes, Inbox, Session, telemetry};
use tokio::time::{Instant, Sleep};

/// Time after which a browser reconnects, in milliseconds.
const RETRY: u32 = 2000;

/// Time between two comments that show clients and proxies that the stream is alive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// `Cache-Control` of answers that come bit by bit, or late: a proxy that compressed them would buffer
/// them.
pub const NOT_KEPT: &str = "no-store, no-transform";

/// Upper bound on one batch of deliveries.
const BATCH: BatchLimit = BatchLimit { records: 256, bytes: 64 << 10 };

/// Time for the last deliveries once the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes deliveries as events.
pub trait Show: Send + Unpin + 'static {
    /// Id to resume from before the first event.
    fn id(&self) -> String;

    /// Appends `delivery` as events. False if the stream is over after it.
    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool;

    /// Appends the event that says why the server ends the stream.
    fn end(&mut self, out: &mut String, close: &Close);
}

/// A stream of events: the body of an answer.
#[derive(Debug)]
pub struct EventStream<S> {
    session: Session,
    inbox: Inbox,
    show: S,
    state: State,
    keepalive: Pin<Box<Sleep>>,
    /// Time at which the token of the client expires.
    expires: Option<Pin<Box<Sleep>>>,
    /// Counts the text that the client has yet to take.
    sending: HeldBytes,
    /// The process stops: no more deliveries after this.
    deadline: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

// === impl EventStream ===

impl<S: Show> EventStream<S> {
    /// Streams the deliveries of `inbox` to `session`, until the stream's own end or `expires`.
    pub fn new(session: Session, expires: Option<Instant>, inbox: Inbox, show: S) -> Self {
        let keepalive = Box::pin(tokio::time::sleep(KEEPALIVE_INTERVAL));
        let expires = expires.map(|at| Box::pin(tokio::time::sleep_until(at)));
        let sending = session.buffers().sending();
        Self {
            session,
            inbox,
            show,
            state: State::Opening,
            keepalive,
            expires,
            sending,
            deadline: None,
        }
    }

    /// Tells how to reconnect, and from where, even if no record comes: an event without data is none,
    /// but its id counts.
    fn opening(&mut self) -> String {
        self.state = State::Open;
        format!("retry: {RETRY}\nid: {}\n\n", self.show.id())
    }

    fn end(&mut self, out: &mut String, close: &Close) {
        self.show.end(out, close);
        let info = self.session.info();
        telemetry::connection_ended(info.protocol, info.id, close);
        self.state = State::Ended;
    }

    fn render(&mut self, deliveries: &[Delivery]) -> String {
        let mut out = String::new();
        for delivery in deliveries {
            if let Delivery::End(close) = delivery {
                self.end(&mut out, close);
                break;
            }
            if !self.show.show(&mut out, delivery) {
                self.state = State::Ended;
                break;
            }
        }
        out
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        if self.expires.as_mut().is_some_and(|at| at.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Close::EXPIRED);
        }
        self.session.poll_ended(cx)
    }

    /// Whether deliveries go on for now: when the process stops, its logs are lost with it.
    fn delivers_despite(&mut self, close: &Close) -> bool {
        let now = Instant::now();
        *close == Close::SHUTDOWN && now < *self.deadline.get_or_insert(now + DRAIN_TIMEOUT)
    }

    /// The next text to send; none when the stream is over.
    fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        loop {
            match self.state {
                State::Opening => return Poll::Ready(Some(self.opening())),
                State::Open if self.session.info().is_asked() => {
                    return Poll::Ready(Some(":\n\n".to_owned()));
                }
                State::Open => {}
                State::Ended => return Poll::Ready(None),
            }
            let ended = match self.poll_ended(cx) {
                Poll::Ready(close) => Some(close),
                Poll::Pending => None,
            };
            let mut deliveries = Vec::new();
            if ended.as_ref().is_none_or(|close| self.delivers_despite(close))
                && self.inbox.poll_recv(cx, BATCH, &mut deliveries).is_ready()
            {
                telemetry::delivered(deliveries.len());
                let text = self.render(&deliveries);
                // A delivery may come to no event.
                if text.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(text));
            }
            if let Some(close) = ended {
                let mut out = String::new();
                self.end(&mut out, &close);
                return Poll::Ready(Some(out));
            }
            if self.keepalive.as_mut().poll(cx).is_ready() {
                self.keepalive.as_mut().reset(Instant::now() + KEEPALIVE_INTERVAL);
                return Poll::Ready(Some(":\n\n".to_owned()));
            }
            return Poll::Pending;
        }
    }
}

impl<S: Show> Body for EventStream<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        let text = stream.poll_text(cx);
        // It is polled again once the client has taken the text before.
        let held = if let Poll::Ready(Some(text)) = &text { text.len() } else { 0 };
        if stream.sending.hold(held, || stream.session.holder()).is_err() {
            let info = stream.session.info();
            telemetry::connection_ended(info.protocol, info.id, &Close::SLOW);
            stream.state = State::Ended;
            return Poll::Ready(None);
        }
        text.map(|text| text.map(|text| Ok(Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}

impl<S: Show> IntoResponse for EventStream<S> {
    /// The answer carries the session's [`SessionInfo`](quadrille_core::SessionInfo), which tells the
    /// listener that its connection is a session.
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, NOT_KEPT),
            // Or nginx would keep events back.
            (HeaderName::from_static("x-accel-buffering"), "no"),
            // The session had the connection's place among connections, and gives it back at its end.
            (CONNECTION, "close"),
        ];
        let info = std::sync::Arc::clone(self.session.info());
        let mut response = (headers, axum_core::body::Body::new(self)).into_response();
        response.extensions_mut().insert(info);
        response
    }
}
