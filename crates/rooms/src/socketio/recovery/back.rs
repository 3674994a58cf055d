//! Coming back: what a client says that was here, and how it goes on.
use std::{collections::HashSet, sync::Arc};

use quadrille_core::{Close, Since, Topic};
use quadrille_identity::Principal;
use serde_json::Value;

use super::{Pid, Resumed, trail::Place};
use crate::{
    door::Door,
    socketio::{
        Client, Link,
        client::{OWN, SEEN},
        closed,
        connect::everybody,
        own::Owned,
    },
};

/// Bytes of a `pid`, and of an offset: more than any has.
const PID: usize = 64;
const OFFSET: usize = Topic::MAX + 64;

/// What a client says that was here: which socket was its own, and which packet was the last that it
/// got, if it got any that has an offset.
#[derive(Debug)]
pub(in crate::socketio) struct Back {
    pub(super) pid: Pid,
    pub(super) offset: Option<Box<str>>,
}

impl Back {
    /// What the members `pid` and `offset` say; nothing if they are somebody else's.
    pub(in crate::socketio) fn of(pid: &Value, offset: &Value) -> Option<Self> {
        let pid = pid.as_str().filter(|it| it.len() <= PID)?;
        let offset = match offset {
            Value::Null => None,
            Value::String(offset) if offset.len() <= OFFSET => Some(offset.as_str().into()),
            _ => return None,
        };
        Some(Self { pid: Pid(pid.into()), offset })
    }

    /// The topics of its socket that are closed to it now.
    pub(in crate::socketio) async fn closed(
        &self,
        door: &Door,
        who: &Principal,
        user: Option<&Arc<str>>,
    ) -> Vec<Topic> {
        match door.recovery.topics(self, user) {
            Some(topics) => closed::closed(door, who, user.map(|it| &**it), topics).await,
            None => Vec::new(),
        }
    }

    /// The socket that goes on, if it is known and `user`'s. Its connection ends.
    pub(in crate::socketio) fn take(
        &self,
        door: &Door,
        user: Option<&Arc<str>>,
    ) -> Option<Resumed> {
        let resumed = door.recovery.take(self, user)?;
        // False if it has ended, which is the rule.
        door.core.sessions.end(resumed.socket.connection.id, &Close::MOVED);
        Some(resumed)
    }
}

impl Client {
    /// Follow what the socket followed, each topic from where its client was. Gives the topics that
    /// are shown no more: those that are closed, and those that there is no room for.
    pub(in crate::socketio) fn go_on(
        &mut self,
        resumed: &Resumed,
        closed: Vec<Topic>,
        link: &mut Link<'_>,
    ) -> Vec<Topic> {
        let (everybody, closed) = (everybody(), HashSet::<_>::from_iter(closed));
        let mut gone = Vec::new();
        for Place { topic, tag, after } in &resumed.places {
            // What is said to everybody needs no grant, and neither do its own turns.
            let is_closed = *topic != everybody && closed.contains(topic);
            let kept = if is_closed { tag & OWN } else { *tag };
            let since = Since::After(*after);
            let follows = kept != 0 && link.inbox.subscribe(topic, since, kept).is_ok();
            let kept = if follows { kept } else { 0 };
            let turns = (kept & OWN != 0).then(|| resumed.own(&self.door.desk, *after));
            let Some(connected) = self.connected() else { return gone };
            if let Some(turns) = turns {
                connected.own = Owned::again(turns);
            }
            if follows {
                connected.follows(topic, kept, Some(*after));
            }
            if kept & SEEN != 0 && *topic != everybody {
                self.sit(topic);
            }
            if tag & SEEN != 0 && kept & SEEN == 0 {
                gone.push(topic.clone());
            }
        }
        gone
    }
}
