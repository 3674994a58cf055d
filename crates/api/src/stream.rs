//! Events of a stream of topics: records and gaps, each with an id from which all topics can be
//! resumed.
use std::fmt;

use quadrille_core::{Close, Delivery, Position, Seat, Tag, Topic};
use quadrille_edge::sse::{self, Show};

use serde::Serialize;

use super::wire;

/// Position of each topic of a stream; written, the id of the last event.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    topics: Vec<(Topic, Position)>,
    /// Topics that were deleted.
    deleted: usize,
    seats: Vec<Seat>,
}

/// Data of `unsubscribed`: a topic is not followed any more.
#[derive(Serialize)]
struct Gone<'a> {
    topic: &'a str,
    reason: &'static str,
}

/// Reason of `unsubscribed`.
const DELETED: &str = "deleted";

// === impl Cursors ===

impl Cursors {
    /// The tag of the next subscription.
    pub(crate) fn next(&self) -> Tag {
        Tag::try_from(self.topics.len()).expect("as many topics as a stream may have")
    }

    pub(crate) fn push(&mut self, topic: Topic, at: Position) {
        self.topics.push((topic, at));
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().map(|(topic, _)| topic)
    }

    /// Present in the topics for as long as they are followed.
    pub(crate) fn seated(self, seats: Vec<Seat>) -> Self {
        Self { seats, ..self }
    }

    /// Tells that a topic was deleted. False if it was the last one.
    fn deleted(&mut self, out: &mut String, topic: &Topic) -> bool {
        self.seats.retain(|seat| seat.topic() != topic);
        self.deleted += 1;
        sse::put_id(out, &*self);
        sse::notice(out, "unsubscribed", &Gone { topic: topic.as_str(), reason: DELETED });
        let goes_on = self.deleted < self.topics.len();
        if !goes_on {
            self.end(out, &Close::DELETED);
        }
        goes_on
    }

    fn move_to(&mut self, tag: Tag, to: Position) {
        if let Some((_, at)) = usize::try_from(tag).ok().and_then(|tag| self.topics.get_mut(tag)) {
            *at = to;
        }
    }
}

impl fmt::Display for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topics.iter().enumerate().try_for_each(|(n, (_, at))| {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{at}")
        })
    }
}

impl Show for Cursors {
    fn id(&self) -> String {
        self.to_string()
    }

    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Record(record, tag) => {
                self.move_to(*tag, record.at);
                wire::record(out, &*self, record);
            }
            Delivery::Gap(gap, tag) => {
                self.move_to(*tag, gap.at);
                sse::put_id(out, &*self);
                sse::gap(out, gap);
            }
            Delivery::Deleted(topic, _) => return self.deleted(out, topic),
            Delivery::End(_) => return false,
        }
        true
    }

    fn end(&mut self, out: &mut String, close: &Close) {
        sse::end(out, "end", close);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use quadrille_core::{Admission, Draft, Hub, Life, Limits, Policies, Registry, Since};
    use quadrille_edge::sse::EventStream;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    async fn text(stream: &mut EventStream<Cursors>) -> Option<String> {
        let frame = stream.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().into()).unwrap())
    }

    struct Stage {
        registry: Registry,
        hub: Hub,
        /// Of the session, and of the stream's opening.
        ids: (Uuid, String),
        stream: EventStream<Cursors>,
    }

    /// A stream of `chan:a` and `chan:b`.
    fn open() -> Stage {
        let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
        let registry = Registry::default();
        let holder = quadrille_core::Holder::Program;
        let who = Admission { protocol: "sse", user: None, holder, peer: [127, 0, 0, 1].into() };
        let session = registry.admit(who).unwrap();
        let (mut inbox, mut cursors) = (hub.inbox(), Cursors::default());
        for name in ["chan:a", "chan:b"] {
            let topic: Topic = name.parse().unwrap();
            let at = inbox.subscribe(&topic, Since::Now, cursors.next()).unwrap();
            cursors.push(topic, at);
        }
        let ids = (session.id(), cursors.to_string());
        Stage { registry, hub, ids, stream: EventStream::new(session, None, inbox, cursors) }
    }

    async fn publish(hub: &Hub) -> Position {
        hub.publish(Draft::new("chan:b".parse().unwrap(), "n", "1")).await.unwrap().at
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_opens_with_an_id_shows_that_it_is_alive_and_says_why_it_ends() {
        let Stage { registry, hub, ids: (id, ids), mut stream } = open();
        assert_eq!(text(&mut stream).await.unwrap(), format!("retry: 2000\nid: {ids}\n\n"));
        let begin = Instant::now();
        let beats = [text(&mut stream).await, text(&mut stream).await];
        let two = Duration::from_secs(30);
        assert_eq!((beats, begin.elapsed()), ([(); 2].map(|()| Some(":\n\n".into())), two));
        let at = publish(&hub).await;
        let (first, _) = ids.split_once(',').unwrap();
        let record = text(&mut stream).await.unwrap();
        assert!(record.starts_with(&format!("id: {first},{at}\nevent: n\n")), "{record}");
        registry.end(id, &Close::KICKED);
        let end = "event: end\ndata: {\"code\":3503,\"reason\":\"ended by the operator\"}\n\n";
        assert_eq!(
            [text(&mut stream).await.as_deref(), text(&mut stream).await.as_deref()],
            [Some(end), None]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_comes_after_what_is_in_the_logs_unless_that_has_no_end() {
        let Stage { registry, hub, mut stream, .. } = open();
        text(&mut stream).await.unwrap();
        publish(&hub).await;
        registry.drain(Duration::ZERO).await;
        publish(&hub).await;
        let records = text(&mut stream).await.unwrap();
        assert_eq!(records.matches("event: n\n").count(), 2, "{records}");
        publish(&hub).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        let end = "event: end\ndata: {\"code\":3001,\"reason\":\"shutdown\"}\n\n";
        assert_eq!(text(&mut stream).await.as_deref(), Some(end));
    }
}
