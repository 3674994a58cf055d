//! Server-sent events (WHATWG HTML, 9.2): how they are written, and the body that streams them. It
//! is polled when there is room to send and takes from the logs what fits then, so that nothing
//! waits anywhere but in them.
use std::{
    convert::Infallible,
    fmt::{self, Display, Write},
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
use quadrille_core::{
    BatchLimit, Close, Delivery, Gap, HeldBytes, Inbox, Position, Session, telemetry,
};
use serde::Serialize;
use tokio::time::{Instant, Sleep};

/// How long a browser waits before it comes back, in milliseconds.
const RETRY: u32 = 2000;

/// How often a comment shows that the stream is alive, to the client and to proxies on the way.
const BEAT: Duration = Duration::from_secs(15);

/// `Cache-Control` of answers that come bit by bit, or late: no proxy may compress them, for it would
/// keep them back until it has enough.
pub const NOT_KEPT: &str = "no-store, no-transform";

/// What is taken from the logs at once; one record may exceed it.
const ROOM: BatchLimit = BatchLimit { records: 256, bytes: 64 << 10 };

/// How long a stream may go on, once the process stops, with what the logs have for it.
const LAST: Duration = Duration::from_secs(2);

/// Makes events of what an inbox brings.
pub trait Show: Send + Unpin + 'static {
    /// The id to resume from before anything is shown.
    fn id(&self) -> String;

    /// Append what `delivery` is to the client. False if the stream is over after it.
    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool;

    /// Append what tells the client why the server ends the stream.
    fn end(&mut self, out: &mut String, why: &Close);
}

/// A stream of events: the body of an answer.
#[derive(Debug)]
pub struct Stream<S> {
    session: Session,
    inbox: Inbox,
    show: S,
    state: State,
    beat: Pin<Box<Sleep>>,
    /// When the token of the client ends.
    expires: Option<Pin<Box<Sleep>>>,
    /// The text that the client has yet to take.
    sending: HeldBytes,
    /// The process stops: from then on nothing is taken from the logs any more.
    last: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

// === impl Stream ===

impl<S: Show> Stream<S> {
    /// A stream of what `inbox` brings to `session`, until the stream's own end or `expires`.
    pub fn new(session: Session, expires: Option<Instant>, inbox: Inbox, show: S) -> Self {
        let beat = Box::pin(tokio::time::sleep(BEAT));
        let expires = expires.map(|at| Box::pin(tokio::time::sleep_until(at)));
        let sending = session.buffers().sending();
        Self { session, inbox, show, state: State::Opening, beat, expires, sending, last: None }
    }

    /// How to come back, and from where, even if no record comes: an event without data is none, but
    /// its id counts.
    fn opening(&mut self) -> String {
        self.state = State::Open;
        format!("retry: {RETRY}\nid: {}\n\n", self.show.id())
    }

    fn end(&mut self, out: &mut String, why: &Close) {
        self.show.end(out, why);
        let info = self.session.info();
        telemetry::connection_ended(info.protocol, info.id, why);
        self.state = State::Ended;
    }

    fn render(&mut self, deliveries: &[Delivery]) -> String {
        let mut out = String::new();
        for delivery in deliveries {
            if let Delivery::End(why) = delivery {
                self.end(&mut out, why);
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

    /// When the process stops, the client first gets what there is: nobody else will have it.
    fn delivers_despite(&mut self, why: &Close) -> bool {
        let now = Instant::now();
        *why == Close::SHUTDOWN && now < *self.last.get_or_insert(now + LAST)
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
                Poll::Ready(why) => Some(why),
                Poll::Pending => None,
            };
            let mut deliveries = Vec::new();
            if ended.as_ref().is_none_or(|why| self.delivers_despite(why))
                && self.inbox.poll_recv(cx, ROOM, &mut deliveries).is_ready()
            {
                telemetry::delivered(deliveries.len());
                let text = self.render(&deliveries);
                // Not everything that comes has to be shown.
                if text.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(text));
            }
            if let Some(why) = ended {
                let mut out = String::new();
                self.end(&mut out, &why);
                return Poll::Ready(Some(out));
            }
            if self.beat.as_mut().poll(cx).is_ready() {
                self.beat.as_mut().reset(Instant::now() + BEAT);
                return Poll::Ready(Some(":\n\n".to_owned()));
            }
            return Poll::Pending;
        }
    }
}

impl<S: Show> Body for Stream<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        let text = stream.poll_text(cx);
        // It is asked for more when the client has taken what there was.
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

impl<S: Show> IntoResponse for Stream<S> {
    /// The answer carries the session's [`SessionInfo`](quadrille_core::SessionInfo), so that whoever holds the connection
    /// knows what it is for.
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

// === writing ===

/// Append the `id` to resume after what comes next.
pub fn put_id(out: &mut String, id: impl Display) {
    writeln!(out, "id: {id}").expect("a String takes all");
}

/// Append an event that is not a record.
pub fn notice(out: &mut String, kind: &str, data: &impl Serialize) {
    let json = serde_json::to_string(data).expect("texts and numbers are JSON");
    put(out, kind, &json);
}

/// Append an event that says why the server ends the stream.
pub fn end(out: &mut String, kind: &str, why: &Close) {
    #[derive(Serialize)]
    struct End<'a> {
        code: u16,
        reason: &'a str,
    }
    notice(out, kind, &End { code: why.code, reason: &why.reason });
}

/// Append the event `gap`: records are gone for this client.
pub fn gap(out: &mut String, Gap { topic, missed, at }: &Gap) {
    #[derive(Serialize)]
    struct Lost<'a> {
        topic: &'a str,
        missed: Option<u64>,
        position: Position,
    }
    notice(out, "gap", &Lost { topic: topic.as_str(), missed: *missed, position: *at });
}

/// Append an event, each line break of its data as another line.
pub fn put(out: &mut String, kind: &str, data: &str) {
    writeln!(out, "event: {}", OneLine(kind)).expect("a String takes all");
    put_data(out, data);
}

/// Append an event that has no name.
pub fn put_data(out: &mut String, data: &str) {
    let mut rest = data;
    loop {
        let (line, after) = match rest.split_once(BREAKS) {
            Some((line, after)) => (line, Some(after)),
            None => (rest, None),
        };
        out.extend(["data: ", line, "\n"]);
        let Some(after) = after else { break };
        // A line feed after a carriage return ends the same line.
        let pair = rest.as_bytes().get(line.len()) == Some(&b'\r');
        rest = after.strip_prefix('\n').filter(|_| pair).unwrap_or(after);
    }
    out.push('\n');
}

/// What ends a line of data.
const BREAKS: [char; 2] = ['\r', '\n'];

/// A name that cannot begin another field.
struct OneLine<'a>(&'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        self.0.chars().try_for_each(|c| f.write_char(plain(c)))
    }
}
