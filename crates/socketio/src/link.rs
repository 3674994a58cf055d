//! The part of a connection that an application may use.
use std::{fmt, sync::Arc};

use quadrille_core::{Inbox, Position, SessionInfo, Since, Tag, TooManyTopics, Topic};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    engineio::{EngineLink, PacketSink},
    packet,
    recovery::{Offset, RecoveryHandle},
};

/// The subscriptions of a client, and packets to it. What it follows is kept for recovery.
pub struct SocketLink<'a> {
    inbox: &'a mut Inbox,
    out: &'a mut dyn PacketSink,
    info: &'a Arc<SessionInfo>,
    recovery: Option<&'a RecoveryHandle>,
}

/// Packets that show one delivery.
pub struct RenderOutput<'a> {
    out: &'a mut dyn PacketSink,
    offset: Option<Offset<'a>>,
    is_written: bool,
}

// === impl SocketLink ===

impl<'a> SocketLink<'a> {
    pub(crate) fn new(
        link: &'a mut EngineLink<'_>,
        info: &'a Arc<SessionInfo>,
        recovery: Option<&'a RecoveryHandle>,
    ) -> Self {
        Self { inbox: link.inbox, out: link.out, info, recovery }
    }

    /// The connection.
    pub fn info(&self) -> &'a Arc<SessionInfo> {
        self.info
    }

    /// Id by which others know the client; another connection that resumes its socket has the same.
    pub fn sid(&self) -> Uuid {
        self.recovery.map_or(self.info.id, RecoveryHandle::sid)
    }

    /// Follows `topic`, or moves there if it is followed already. Gives the position after which
    /// its records are delivered.
    pub fn subscribe(
        &mut self,
        topic: &Topic,
        since: Since,
        tag: Tag,
    ) -> Result<Position, TooManyTopics> {
        let top = self.inbox.subscribe(topic, since, tag)?;
        let from = match since {
            Since::Now | Since::Start => top,
            // A client that leaves before the snapshot needs the turn from its beginning.
            Since::Fresh(at) if top.epoch == at.epoch && top.offset < at.offset => top,
            Since::After(at) | Since::Fresh(at) => at,
        };
        if let Some(recovery) = self.recovery {
            recovery.followed(topic, tag, Some(from));
        }
        Ok(from)
    }

    /// Goes on following `topic` under another tag. Gives its position; `None` if it is not
    /// followed, or was deleted.
    pub fn retag(&mut self, topic: &Topic, tag: Tag) -> Option<Position> {
        let position = self.inbox.retag(topic, tag)?;
        if let Some(recovery) = self.recovery {
            recovery.followed(topic, tag, None);
        }
        Some(position)
    }

    /// Stops following `topic`. False if it was not followed.
    pub fn unsubscribe(&mut self, topic: &Topic) -> bool {
        if let Some(recovery) = self.recovery {
            recovery.left(topic);
        }
        self.inbox.unsubscribe(topic)
    }

    /// Tag of a topic that is followed.
    pub fn tag(&self, topic: &Topic) -> Option<Tag> {
        self.inbox.tag(topic)
    }

    /// Number of topics that are followed.
    pub fn topic_count(&self) -> usize {
        self.inbox.len()
    }

    /// The topics that are followed, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.inbox.topics()
    }

    /// Keeps a note for the connection that resumes this socket. The last
    /// [`NOTES`](crate::recovery::NOTES) are kept.
    pub fn note(&mut self, id: Uuid, tag: Tag) {
        if let Some(recovery) = self.recovery {
            recovery.note(id, tag);
        }
    }

    /// Sends an event with one argument.
    pub fn event(&mut self, name: &str, argument: &impl Serialize) {
        let argument = serde_json::to_string(argument).expect("texts and numbers are always JSON");
        self.packet(&packet::event(name, &argument));
    }

    /// Acknowledges an event that asks for it, with one argument or none.
    pub fn ack(&mut self, id: Option<u64>, argument: Option<&Value>) {
        if let Some(id) = id {
            let argument = argument.map(ToString::to_string).unwrap_or_default();
            self.packet(&packet::ack(id, &argument));
        }
    }

    /// Sends a packet, written by a function of [`packet`].
    pub fn packet(&mut self, packet: &str) {
        self.out.packet(packet);
    }
}

impl fmt::Debug for SocketLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketLink").field("info", &self.info).finish_non_exhaustive()
    }
}

// === impl RenderOutput ===

impl<'a> RenderOutput<'a> {
    pub(crate) fn new(out: &'a mut dyn PacketSink, offset: Option<Offset<'a>>) -> Self {
        Self { out, offset, is_written: false }
    }

    /// Offset of the record, if recovery is on. The last packet that shows it has to carry it.
    pub fn offset(&self) -> Option<Offset<'a>> {
        self.offset
    }

    pub fn packet(&mut self, packet: &str) {
        self.is_written = true;
        self.out.packet(packet);
    }

    /// The offset of a record that was shown.
    pub(crate) fn shown(&self) -> Option<Offset<'a>> {
        self.offset.filter(|_| self.is_written)
    }
}

impl fmt::Debug for RenderOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderOutput").field("offset", &self.offset).finish_non_exhaustive()
    }
}
