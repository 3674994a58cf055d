//! Following one turn in the log of its topic until the turn's last record.
use quadrille_core::{
    Close, Delivery, Event, Inbox, Position, Since, TooManyTopics,
    turn::{self, TurnEvent, TurnKind},
};

use crate::ticket::Ticket;

/// A reader of one turn. A log that merges, or has started over, may have lost the turn's last
/// record by the time the reader gets there; then the end is told from the desk's memory.
#[derive(Debug)]
pub struct Follow {
    ticket: Ticket,
    position: Position,
}

/// The meaning of one delivery for the reader of a turn.
#[derive(Debug)]
pub enum FollowStep<'a> {
    /// A record of the turn. The turn is over if the kind [is the last](TurnKind::is_last).
    Record(&'a Event, TurnKind),
    /// Nothing of the turn, which goes on.
    Nothing,
    /// The turn is over, and the log no longer has its last record, which is this.
    Ended(TurnEvent),
    /// The topic is followed no more, and the turn has not ended.
    Closed(Close),
}

impl Follow {
    /// Follows `ticket`'s turn from after `since`, which is [`Ticket::since`] for the whole turn.
    pub fn new(ticket: Ticket, since: Position) -> Self {
        Self { ticket, position: since }
    }

    /// The position to resume after.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether nothing of the turn is left to read, where the log of the topic stands at `top`.
    pub fn is_over(&self, top: Option<Position>) -> bool {
        let Some(ended) = self.ticket.end() else { return false };
        let since = self.position;
        match ended.at {
            Some(last) if last.epoch == since.epoch => last.offset <= since.offset,
            // The log of the turn is gone. A reader of the present one has been told the end.
            _ => top.is_some_and(|top| top.epoch == since.epoch && since.offset <= top.offset),
        }
    }

    /// Lets `inbox` deliver the rest of the turn, to be passed to [`Self::step`].
    pub fn subscribe(&self, inbox: &mut Inbox) -> Result<(), TooManyTopics> {
        inbox.subscribe(self.ticket.topic(), Since::After(self.position), 0).map(drop)
    }

    /// Interprets the next delivery of the topic.
    pub fn step<'a>(&mut self, delivery: &'a Delivery) -> FollowStep<'a> {
        match delivery {
            Delivery::Record(event, _) => {
                self.position = event.at;
                let kind = TurnKind::of(event);
                match kind.filter(|_| turn::of(event) == Some(self.ticket.id())) {
                    Some(kind) => FollowStep::Record(event, kind),
                    None => self.missed(),
                }
            }
            Delivery::Gap(gap, _) => {
                self.position = gap.at;
                self.missed()
            }
            // Deleting a topic cancels its turns first, so mostly the end is known.
            Delivery::Deleted(..) => self
                .ticket
                .last_event()
                .map_or(FollowStep::Closed(Close::DELETED), FollowStep::Ended),
            Delivery::End(close) => FollowStep::Closed(close.clone()),
        }
    }

    fn missed<'a>(&self) -> FollowStep<'a> {
        self.ticket
            .last_event_missed_at(self.position)
            .map_or(FollowStep::Nothing, FollowStep::Ended)
    }
}
