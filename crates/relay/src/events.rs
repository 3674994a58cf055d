//! A turn as server-sent events.
use std::sync::Arc;

use quadrille_agents::{Follow, FollowStep};
use quadrille_core::{
    Admission, Close, Delivery, Event, Session,
    turn::{Delta, Started, TurnEvent, TurnKind, TurnSnapshot},
};
use quadrille_edge::{
    http::{Caller, Problem},
    sse::{self, EventStream, Show},
};

use crate::{NAME, State, error::Error};

/// The stream of one turn.
#[derive(Debug)]
pub(crate) struct TurnStream(Follow);

impl State {
    /// Admits a stream to the connections.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        user: Option<Arc<str>>,
    ) -> Result<Session, Problem> {
        let holder = caller.holder(user.as_ref());
        let admission = Admission { protocol: NAME, user, holder, peer: caller.peer.0 };
        Ok(self.0.core.sessions.admit(admission)?)
    }
}

/// Streams the rest of a turn.
pub(crate) fn stream(
    state: &State,
    session: Session,
    caller: &Caller,
    follow: Follow,
) -> Result<EventStream<TurnStream>, Error> {
    let mut inbox = state.0.core.hub.inbox_of(session.holder());
    follow.subscribe(&mut inbox).map_err(|_| Error::Busy)?;
    Ok(EventStream::new(session, caller.principal.expires, inbox, TurnStream(follow)))
}

// === impl TurnStream ===

impl Show for TurnStream {
    fn id(&self) -> String {
        self.0.position().to_string()
    }

    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool {
        if let Delivery::Gap(gap, _) = delivery {
            sse::put_id(out, gap.at);
            sse::gap(out, gap);
        }
        match self.0.step(delivery) {
            FollowStep::Record(event, kind) => {
                put_record(out, event, kind);
                !kind.is_last()
            }
            FollowStep::Nothing => true,
            FollowStep::Ended(last) => {
                put_event(out, &last);
                false
            }
            FollowStep::Closed(close) => {
                self.end(out, &close);
                false
            }
        }
    }

    /// The event is `close`, because `end` is the end of a reply.
    fn end(&mut self, out: &mut String, close: &Close) {
        sse::end(out, "close", close);
    }
}

fn put_record(out: &mut String, event: &Event, kind: TurnKind) {
    if kind == TurnKind::Snapshot
        && let Some(TurnEvent::Snapshot(snapshot)) = TurnEvent::of(event)
    {
        return put_snapshot(out, event, snapshot);
    }
    sse::put_id(out, event.at);
    sse::put(out, name(kind), &event.payload);
}

/// Appends a turn's beginning, and its text so far as one piece. Only the last of the two has an id:
/// a client that goes on after it has both.
fn put_snapshot(out: &mut String, event: &Event, snapshot: TurnSnapshot) {
    let TurnSnapshot { turn, agent, user, question, text, .. } = snapshot;
    let started = TurnEvent::Started(Started { turn, agent, user, question });
    if text.is_empty() {
        sse::put_id(out, event.at);
        return put_event(out, &started);
    }
    put_event(out, &started);
    sse::put_id(out, event.at);
    put_event(out, &TurnEvent::Delta(Delta { turn, start: 0, text }));
}

/// Appends an event that is not in the log as it is.
fn put_event(out: &mut String, event: &TurnEvent) {
    sse::put(out, name(event.kind()), &event.payload());
}

/// The name of the event for a record of this kind.
fn name(kind: TurnKind) -> &'static str {
    match kind {
        TurnKind::Started | TurnKind::Snapshot => "start",
        TurnKind::Status => "status",
        TurnKind::Tool => "tool",
        TurnKind::Delta => "token",
        TurnKind::Reasoning => "reasoning",
        TurnKind::Source => "source",
        TurnKind::File => "file",
        TurnKind::Data => "data",
        TurnKind::Waiting => "waiting",
        TurnKind::Answered => "answered",
        TurnKind::Steered => "steered",
        TurnKind::Completed => "end",
        TurnKind::Failed => "error",
        TurnKind::Cancelled => "cancelled",
    }
}
