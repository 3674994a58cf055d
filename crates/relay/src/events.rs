//! A turn as server-sent events.
use std::sync::Arc;

use crate::{NAME, Relay, error::Error};
use quadrille_agents::{Ended, Ending, Phase, Ticket};
use quadrille_core::{Admission, Close, Delivery, Event, Gap, Position, Session, Since, turn};
use quadrille_edge::{
    http::{Caller, Problem},
    sse::{self, Show, Stream},
};

/// What a stream shows of a topic: one turn of it.
#[derive(Debug)]
pub(crate) struct Shown {
    ticket: Ticket,
    at: Position,
}

impl Relay {
    /// A place for a stream.
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

/// Whether no record of the turn comes after `since`, where the topic's log stands at `top`.
pub(crate) fn is_over(ticket: &Ticket, since: Position, top: Option<Position>) -> bool {
    let Phase::Ended(Ended { at, .. }) = ticket.phase() else { return false };
    match at {
        Some(at) if at.epoch == since.epoch => at.offset <= since.offset,
        // The log of the turn is gone. Who has been in the one that there is now was told the end.
        _ => top.is_some_and(|top| top.epoch == since.epoch && since.offset <= top.offset),
    }
}

/// The records of a turn that come after `since`.
pub(crate) fn stream(
    relay: &Relay,
    session: Session,
    caller: &Caller,
    ticket: &Ticket,
    since: Position,
) -> Result<Stream<Shown>, Error> {
    let mut inbox = relay.0.core.hub.inbox_of(session.holder());
    inbox.subscribe(ticket.topic(), Since::After(since), 0).map_err(|_| Error::Busy)?;
    let shown = Shown { ticket: ticket.clone(), at: since };
    Ok(Stream::new(session, caller.principal.expires, inbox, shown))
}

// === impl Shown ===

impl Shown {
    /// A record of the turn. False if it is the last.
    fn record(&mut self, out: &mut String, event: &Event) -> bool {
        let Some(name) = name(&event.kind).filter(|_| turn::of(event) == Some(self.ticket.id()))
        else {
            return self.go_on(out, event.at);
        };
        self.at = event.at;
        sse::put_id(out, event.at);
        sse::put(out, name, &event.payload);
        !is_last(&event.kind)
    }

    /// Records are gone.
    fn gap(&mut self, out: &mut String, gap: &Gap) -> bool {
        self.at = gap.at;
        sse::put_id(out, gap.at);
        sse::gap(out, gap);
        self.go_on(out, gap.at)
    }

    /// After `now` the stream goes on if the last record is still to come; a log that merges, or has
    /// started over, may have lost it, and then it is told from memory. False if the stream is over.
    fn go_on(&self, out: &mut String, now: Position) -> bool {
        let Phase::Ended(Ended { ending, at, message }) = self.ticket.phase() else { return true };
        if at.is_some_and(|at| at.epoch == now.epoch && at.offset > now.offset) {
            return true;
        }
        let turn = self.ticket.id();
        match ending {
            Ending::Completed(text) => {
                sse::notice(out, "end", &turn::Completed { turn, text, message });
            }
            Ending::Cancelled(text) => {
                sse::notice(out, "cancelled", &turn::Cancelled { turn, text, message });
            }
            Ending::Failed(code) => {
                let (code, title) = (code.as_str().into(), code.title().into());
                sse::notice(out, "error", &turn::Failed { turn, code, title, message });
            }
        }
        false
    }
}

impl Show for Shown {
    fn id(&self) -> String {
        self.at.to_string()
    }

    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Record(event, _) => self.record(out, event),
            Delivery::Gap(gap, _) => self.gap(out, gap),
            Delivery::Deleted(..) => {
                // Who deletes a topic cancels its turns first, so mostly the end is known.
                if self.go_on(out, Position { epoch: 0, offset: 0 }) {
                    self.end(out, &Close::DELETED);
                }
                false
            }
            Delivery::End(_) => false,
        }
    }

    /// `end` is the end of a reply.
    fn end(&mut self, out: &mut String, why: &Close) {
        sse::end(out, "close", why);
    }
}

/// The event that a record of this kind is.
fn name(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "turn.started" => "start",
        "turn.status" => "status",
        "turn.tool" => "tool",
        turn::DELTA => "token",
        "turn.completed" => "end",
        "turn.failed" => "error",
        "turn.cancelled" => "cancelled",
        _ => return None,
    })
}

fn is_last(kind: &str) -> bool {
    matches!(kind, "turn.completed" | "turn.failed" | "turn.cancelled")
}
