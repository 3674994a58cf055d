//! The text and the thoughts of a reply that are not in the log yet, and how much of them there is.
use std::{mem, time::Duration};

use quadrille_core::{
    Hub,
    turn::{Delta, TurnEvent},
};
use tokio::time::Instant;

use crate::{
    Part,
    details::{CUT_MARK, cut},
    publish::publish,
    ticket::TurnState,
};

/// Text, and thoughts, are merged into one delta until this long after the last delta, or until there are
/// [`MERGED_TOKENS`].
const MERGE_INTERVAL: Duration = Duration::from_millis(20);
const MERGED_TOKENS: usize = 64;

/// The text of one reply, and its thoughts. What is not in the log is one of the two.
pub(crate) struct ReplyBuffer<'a> {
    hub: &'a Hub,
    turn: &'a TurnState,
    /// The text that is not in the log.
    rest: String,
    /// Bytes and characters that are in the log.
    logged: usize,
    start: u64,
    /// The thoughts that are not in the log.
    thoughts: String,
    /// Characters of the thoughts that are in the log.
    thoughts_start: u64,
    /// Bytes of further thoughts that are kept; `None` once they were cut.
    thoughts_left: Option<usize>,
    /// Tokens that are not in the log.
    tokens: usize,
    /// The earliest time of the next delta; at once for the first.
    next: Option<Instant>,
}

impl<'a> ReplyBuffer<'a> {
    pub(crate) fn new(hub: &'a Hub, turn: &'a TurnState) -> Self {
        Self {
            hub,
            turn,
            rest: String::new(),
            logged: 0,
            start: 0,
            thoughts: String::new(),
            thoughts_start: 0,
            thoughts_left: Some(turn.agent.max_reply),
            tokens: 0,
            next: None,
        }
    }

    pub(crate) fn push(&mut self, token: &str) {
        if !token.is_empty() {
            self.rest.push_str(token);
            self.tokens += 1;
        }
    }

    /// Adds to the thoughts. More of them than the text may have are cut, with a mark.
    pub(crate) fn think(&mut self, token: &str) {
        let Some(left) = self.thoughts_left.filter(|_| !token.is_empty()) else { return };
        self.thoughts_left = left.checked_sub(token.len());
        self.thoughts.push_str(cut(token, left));
        if self.thoughts_left.is_none() {
            self.thoughts.push_str(CUT_MARK);
        }
        self.tokens += 1;
    }

    /// Whether text or thoughts have to be flushed before `part` is added, so that the log has both in
    /// their order.
    pub(crate) fn is_flushed_before(&self, part: &Part) -> bool {
        match part {
            Part::Text(text) => !text.is_empty() && !self.thoughts.is_empty(),
            Part::Reasoning(text) => {
                !text.is_empty() && self.tokens > 0 && self.thoughts.is_empty()
            }
            _ => false,
        }
    }

    /// Bytes of the whole text so far.
    pub(crate) fn len(&self) -> usize {
        self.logged + self.rest.len()
    }

    /// The time of the next [`Self::flush`], if something waits for it.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next.filter(|_| self.tokens > 0)
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let timely = self.next.is_none_or(|next| now >= next) || self.tokens >= MERGED_TOKENS;
        self.tokens > 0 && timely
    }

    /// Puts the rest of the text or thoughts into the log, and then `notice`.
    pub(crate) async fn flush_before(&mut self, notice: TurnEvent) {
        self.flush().await;
        publish(self.hub, self.turn, notice).await;
    }

    /// Puts the rest of the text or thoughts into the log. May wait for slow readers; it is in the log
    /// meanwhile.
    pub(crate) async fn flush(&mut self) {
        if self.tokens == 0 {
            return;
        }
        self.tokens = 0;
        let record = self.take_rest();
        publish(self.hub, self.turn, record).await;
        self.next = Some(Instant::now() + MERGE_INTERVAL);
    }

    /// Takes the record of what is not in the log. Text counts as shown before it is there, so that
    /// text that was shown is never missing from an end.
    fn take_rest(&mut self) -> TurnEvent {
        let turn = self.turn.id;
        if !self.thoughts.is_empty() {
            let delta =
                Delta { turn, start: self.thoughts_start, text: mem::take(&mut self.thoughts) };
            self.thoughts_start += delta.text.chars().count() as u64;
            return TurnEvent::Reasoning(delta);
        }
        let delta = Delta { turn, start: self.start, text: mem::take(&mut self.rest) };
        self.logged += delta.text.len();
        self.start += delta.text.chars().count() as u64;
        self.turn.show(&delta.text);
        TurnEvent::Delta(delta)
    }
}
