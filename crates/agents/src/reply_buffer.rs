//! The text of a reply that is not in the log yet, and how much of it there is.
use std::{mem, time::Duration};

use quadrille_core::{
    Hub,
    turn::{Delta, TurnEvent},
};
use tokio::time::Instant;

use crate::{publish::publish, ticket::TurnState};

/// Text is merged into one delta until this long after the last delta, or until there are
/// [`MERGED_TOKENS`].
const MERGE_INTERVAL: Duration = Duration::from_millis(20);
const MERGED_TOKENS: usize = 64;

/// The text of one reply.
pub(crate) struct ReplyBuffer<'a> {
    hub: &'a Hub,
    turn: &'a TurnState,
    /// The text that is not in the log.
    rest: String,
    /// Bytes and characters that are in the log.
    logged: usize,
    start: u64,
    /// Tokens that are not in the log.
    tokens: usize,
    /// The earliest time of the next delta; at once for the first.
    next: Option<Instant>,
}

impl<'a> ReplyBuffer<'a> {
    pub(crate) fn new(hub: &'a Hub, turn: &'a TurnState) -> Self {
        Self { hub, turn, rest: String::new(), logged: 0, start: 0, tokens: 0, next: None }
    }

    pub(crate) fn push(&mut self, token: &str) {
        if !token.is_empty() {
            self.rest.push_str(token);
            self.tokens += 1;
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

    /// Puts the rest of the text into the log, and then `notice`.
    pub(crate) async fn flush_before(&mut self, notice: TurnEvent) {
        self.flush().await;
        publish(self.hub, self.turn, notice).await;
    }

    /// Puts the rest of the text into the log. May wait for slow readers; the text is in the log
    /// meanwhile.
    pub(crate) async fn flush(&mut self) {
        if self.tokens == 0 {
            return;
        }
        let text = mem::take(&mut self.rest);
        let length = text.chars().count() as u64;
        self.logged += text.len();
        // Before it is in the log: text that was shown is never missing from an end.
        self.turn.show(&text);
        let delta = Delta { turn: self.turn.id, start: self.start, text };
        self.start += length;
        self.tokens = 0;
        publish(self.hub, self.turn, TurnEvent::Delta(delta)).await;
        self.next = Some(Instant::now() + MERGE_INTERVAL);
    }
}
