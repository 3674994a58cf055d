//! What clients can ask for, one module for each kind of thing. An event that has no meaning here is
//! none of ours: it is acknowledged, and that is all.
mod ask;
mod conversation;
mod message;
mod named;
mod refresh;
mod watch;

use std::sync::OnceLock;

use quadrille_core::{BadPosition, Position, Since, Tag, TooManyTopics, Topic, json};
use quadrille_identity::{Exceeded, Rate};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use super::{
    client::{Client, Flow, Link, OWN, POSITIONS, SEEN},
    packet::Event,
};

/// One event, and whether it wants an answer.
pub(super) struct Call<'a> {
    arguments: &'a [&'a RawValue],
    id: Option<u64>,
    /// What [`json::read_in`] needs.
    copy: &'a OnceLock<String>,
}

impl<'a> Call<'a> {
    /// What the first argument says, which is an object; `None` if it is not, or says something that
    /// cannot be meant.
    fn read<T: Deserialize<'a>>(&self) -> Option<T> {
        let first = self.arguments.first()?.get();
        if !first.starts_with('{') {
            return None;
        }
        json::read_in(first, self.copy).ok()
    }
}

pub(super) fn run(
    client: &mut Client,
    event: &Event<'_>,
    id: Option<u64>,
    link: &mut Link<'_>,
) -> Flow {
    let copy = OnceLock::new();
    let call = Call { arguments: &event.arguments, id, copy: &copy };
    match &*event.name {
        "join_room" => conversation::join(client, &call, link),
        "leave_room" => conversation::leave(client, &call, link),
        "typing" => conversation::typing(client, &call, link),
        "send_message" => message::send(client, &call, link),
        "message" => named::message(client, &call, link),
        "broadcast" => named::broadcast(client, &call, link),
        "get_stats" => named::stats(client, &call, link),
        "llm_request" => ask::request(client, &call, link),
        "cancel" => ask::cancel(client, &call, link),
        "watch" => watch::watch(client, &call, link),
        "unwatch" => watch::unwatch(client, &call, link),
        "auth_refresh" => refresh::refresh(client, &call, link),
        _ => {
            link.ack(id, None);
            Flow::Continue
        }
    }
}

/// Where to begin, and whether each event carries its position: what every way of joining takes.
#[derive(Debug, Default, Deserialize)]
struct From {
    #[serde(default)]
    since: Option<Value>,
    #[serde(default)]
    positions: Option<bool>,
}

impl From {
    fn since(&self) -> Result<Option<Position>, BadPosition> {
        match &self.since {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some),
            Some(_) => Err(BadPosition),
        }
    }
}

/// Why a client does not see a topic.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
enum NotSeen {
    #[error("since is {0}")]
    Position(#[from] BadPosition),
    #[error("this connection is in {0} rooms already; leave one first")]
    TooMany(usize),
    #[error("{}", advice(*.0))]
    Topics(#[from] TooManyTopics),
}

fn advice(why: TooManyTopics) -> &'static str {
    match why {
        TooManyTopics::Full => {
            "the server holds too many topics; use one that exists, or try again later"
        }
        TooManyTopics::Share => "you are in too many rooms; leave some first",
    }
}

impl Client {
    /// Show `topic` to the client, and say from which position on.
    fn see(
        &mut self,
        topic: &Topic,
        from: &From,
        link: &mut Link<'_>,
    ) -> Result<Position, NotSeen> {
        let since = from.since()?;
        let before = link.inbox.tag(topic).unwrap_or_default();
        let positions = if from.positions.unwrap_or_default() { POSITIONS } else { 0 };
        let tag: Tag = SEEN | positions | before & OWN;
        let present = link.inbox.retag(topic, tag);
        let max = self.door.config.max_rooms;
        if present.is_none() && link.inbox.len() > max {
            return Err(NotSeen::TooMany(max));
        }
        let at = match (since, present) {
            (None, Some(present)) => present,
            (None, None) => link.inbox.subscribe(topic, Since::Now, tag)?,
            (Some(since), _) => {
                link.inbox.subscribe(topic, Since::After(since), tag)?;
                since
            }
        };
        if let Some(connected) = self.connected() {
            let moved = since.is_some() || before == 0;
            connected.follows(topic, tag, moved.then_some(at));
        }
        if before & SEEN == 0 {
            self.sit(topic);
        }
        Ok(at)
    }

    /// Be among those who are in `topic`, where that is told.
    pub(super) fn sit(&mut self, topic: &Topic) {
        if self.door.core.hub.policy(topic).presence {
            let seat = self.door.core.presence.join(topic, &self.info);
            if let Some(connected) = self.connected() {
                connected.seats.push(seat);
            }
        }
    }

    /// Show `topic` no more. False if it was not shown.
    fn unsee(&mut self, topic: &Topic, link: &mut Link<'_>) -> bool {
        let Some(connected) = self.connected() else { return false };
        connected.seats.retain(|it| it.topic() != topic);
        match link.inbox.tag(topic) {
            // Its own turns go on being shown.
            Some(tag) if tag & OWN != 0 => {
                link.inbox.retag(topic, OWN);
                connected.follows(topic, OWN, None);
                tag & SEEN != 0
            }
            _ => {
                connected.leaves(topic);
                link.inbox.unsubscribe(topic)
            }
        }
    }

    /// Count something that will be published.
    fn count_publication(&self) -> Result<(), Exceeded> {
        match &self.state {
            super::client::State::Connected(it) => {
                self.door.core.quotas.take(Rate::Publishes, &it.payer)
            }
            _ => Ok(()),
        }
    }
}

/// A publication that the hub did not take.
const UNPUBLISHED: &str =
    "the server holds too many topics; use one that exists, or try again later";

/// The id of a conversation: a number, or its digits. Anything else is no conversation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ConversationId(Option<i64>);

impl<'de> Deserialize<'de> for ConversationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let id = match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        Ok(Self(id.filter(|it| *it >= 0)))
    }
}
