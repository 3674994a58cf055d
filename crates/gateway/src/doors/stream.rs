//! The body of a stream of events: polled when there is room to send, it takes from the logs what
//! fits then, so that nothing waits anywhere but in them.
use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use quadrille_core::{
    Close, Delivery, Gap, Inbox, Position, Room, Seat, Session, Tag, Topic, telemetry,
};
use serde::Serialize;
use tokio::time::{Instant, Sleep};

use super::{events::NAME, wire};

/// How long a browser waits before it comes back, in milliseconds.
const RETRY: u32 = 2000;

/// How often a comment shows that the stream is alive, to the client and to proxies on the way.
const BEAT: Duration = Duration::from_secs(15);

/// What is taken from the logs at once; one record may exceed it.
const ROOM: Room = Room { records: 256, bytes: 64 << 10 };

/// How far each topic of a stream has been delivered; written, the id of its last event.
#[derive(Debug, Default)]
pub(super) struct Cursors(Vec<(Topic, Position)>);

#[derive(Debug)]
pub(super) struct Stream {
    session: Session,
    inbox: Inbox,
    _seats: Vec<Seat>,
    cursors: Cursors,
    state: State,
    beat: Pin<Box<Sleep>>,
    /// When the token of the client ends.
    expires: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

// === impl Cursors ===

impl Cursors {
    /// The tag of the next subscription.
    pub(super) fn next(&self) -> Tag {
        Tag::try_from(self.0.len()).expect("as many topics as a stream may have")
    }

    pub(super) fn push(&mut self, topic: Topic, at: Position) {
        self.0.push((topic, at));
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.0.iter().map(|(topic, _)| topic)
    }

    fn move_to(&mut self, tag: Tag, to: Position) {
        if let Some((_, at)) = usize::try_from(tag).ok().and_then(|tag| self.0.get_mut(tag)) {
            *at = to;
        }
    }
}

impl fmt::Display for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, (_, at))| {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{at}")
        })
    }
}

// === impl Stream ===

impl Stream {
    pub(super) fn new(
        session: Session,
        expires: Option<Instant>,
        inbox: Inbox,
        seats: Vec<Seat>,
        cursors: Cursors,
    ) -> Self {
        let beat = Box::pin(tokio::time::sleep(BEAT));
        let expires = expires.map(|at| Box::pin(tokio::time::sleep_until(at)));
        Self { session, inbox, _seats: seats, cursors, state: State::Opening, beat, expires }
    }

    /// How to come back, and from where, even if no record comes: an event without data is none, but
    /// its id counts.
    fn opening(&mut self) -> String {
        self.state = State::Open;
        format!("retry: {RETRY}\nid: {}\n\n", self.cursors)
    }

    fn end(&mut self, out: &mut String, why: &Close) {
        #[derive(Serialize)]
        struct End<'a> {
            code: u16,
            reason: &'a str,
        }
        wire::notice(out, "end", &End { code: why.code, reason: &why.reason });
        telemetry::connection_ended(NAME, self.session.id(), why);
        self.state = State::Ended;
    }

    fn render(&mut self, deliveries: &[Delivery]) -> String {
        let mut out = String::new();
        for delivery in deliveries {
            match delivery {
                Delivery::Record(record, tag) => {
                    self.cursors.move_to(*tag, record.at);
                    wire::record(&mut out, &self.cursors, record);
                }
                Delivery::Gap(gap, tag) => {
                    self.cursors.move_to(*tag, gap.at);
                    wire::put_id(&mut out, &self.cursors);
                    wire::notice(&mut out, "gap", &Lost::of(gap));
                }
                Delivery::End(why) => {
                    self.end(&mut out, why);
                    break;
                }
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

    /// The next text to send; none when the stream is over.
    fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        match self.state {
            State::Opening => return Poll::Ready(Some(self.opening())),
            State::Open => {}
            State::Ended => return Poll::Ready(None),
        }
        if let Poll::Ready(why) = self.poll_ended(cx) {
            let mut out = String::new();
            self.end(&mut out, &why);
            return Poll::Ready(Some(out));
        }
        let mut deliveries = Vec::new();
        if self.inbox.poll_recv(cx, ROOM, &mut deliveries).is_ready() {
            telemetry::delivered(deliveries.len());
            return Poll::Ready(Some(self.render(&deliveries)));
        }
        if self.beat.as_mut().poll(cx).is_ready() {
            self.beat.as_mut().reset(Instant::now() + BEAT);
            return Poll::Ready(Some(":\n\n".to_owned()));
        }
        Poll::Pending
    }
}

/// The data of a gap.
#[derive(Serialize)]
struct Lost<'a> {
    topic: &'a str,
    missed: Option<u64>,
    position: Position,
}

impl<'a> Lost<'a> {
    fn of(Gap { topic, missed, at }: &'a Gap) -> Self {
        Self { topic: topic.as_str(), missed: *missed, position: *at }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = self.get_mut().poll_text(cx);
        text.map(|text| text.map(|text| Ok(Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use quadrille_core::{Admission, Draft, Hub, Life, Limits, Policies, Registry, Since};

    use super::*;

    async fn text(stream: &mut Stream) -> Option<String> {
        let frame = stream.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().into()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_opens_with_an_id_shows_that_it_is_alive_and_says_why_it_ends() {
        let hub = Hub::new(Policies::default(), &Limits::default(), None, &Life::new());
        let registry = Registry::default();
        let who = Admission { protocol: NAME, user: None, peer: [127, 0, 0, 1].into() };
        let session = registry.admit(who).unwrap();
        let (mut inbox, mut cursors) = (hub.inbox(), Cursors::default());
        for name in ["chan:a", "chan:b"] {
            let topic: Topic = name.parse().unwrap();
            let at = inbox.subscribe(&topic, Since::Now, cursors.next()).unwrap();
            cursors.push(topic, at);
        }
        let (id, ids) = (session.id(), cursors.to_string());
        let mut stream = Stream::new(session, None, inbox, Vec::new(), cursors);
        assert_eq!(text(&mut stream).await.unwrap(), format!("retry: 2000\nid: {ids}\n\n"));
        let begin = Instant::now();
        let beats = [text(&mut stream).await, text(&mut stream).await];
        assert_eq!((beats, begin.elapsed()), ([(); 2].map(|()| Some(":\n\n".into())), 2 * BEAT));
        let receipt = hub.publish(Draft::new("chan:b".parse().unwrap(), "n", "1")).await.unwrap();
        let (first, _) = ids.split_once(',').unwrap();
        let record = text(&mut stream).await.unwrap();
        assert!(record.starts_with(&format!("id: {first},{}\nevent: n\n", receipt.at)), "{record}");
        registry.end(id, &Close::KICKED);
        let end = "event: end\ndata: {\"code\":3503,\"reason\":\"ended by the operator\"}\n\n";
        assert_eq!(
            [text(&mut stream).await.as_deref(), text(&mut stream).await.as_deref()],
            [Some(end), None]
        );
    }
}
