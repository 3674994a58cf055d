//! The earlier exchanges of a topic, as far as its log still has them.
use std::collections::HashMap;

use quadrille_core::{
    Hub, Since, Topic,
    turn::{TurnEvent, TurnKind},
};
use uuid::Uuid;

use crate::HistoryEntry;

/// Records that are searched, counted back from the newest.
const SEARCHED_RECORDS: usize = 1024;

/// The last `window` turns of `topic` that have ended, oldest first, as far as they fit into
/// [`HistoryEntry::BYTES`].
pub(crate) fn exchanges(hub: &Hub, topic: &Topic, window: usize) -> Vec<HistoryEntry> {
    if window == 0 {
        return Vec::new();
    }
    let Some(history) = hub.history(topic, Since::Now, SEARCHED_RECORDS) else {
        return Vec::new();
    };
    let mut questions = HashMap::<Uuid, String>::new();
    let mut all = Vec::new();
    for record in &history.records {
        let is_told = |kind: TurnKind| kind == TurnKind::Started || kind.is_last();
        if !TurnKind::of(record).is_some_and(is_told) {
            continue;
        }
        let (turn, reply) = match TurnEvent::of(record) {
            Some(TurnEvent::Started(started)) => {
                questions.insert(started.turn, started.question.to_string());
                continue;
            }
            Some(TurnEvent::Completed(completed)) => (completed.turn, completed.text),
            Some(TurnEvent::Cancelled(cancelled)) => (cancelled.turn, cancelled.text),
            Some(TurnEvent::Failed(failed)) => (failed.turn, failed.text),
            _ => continue,
        };
        if let Some(question) = questions.remove(&turn) {
            all.push(HistoryEntry { question, reply: reply.to_string() });
        }
    }
    let mut left = HistoryEntry::BYTES;
    let fits = |exchange: &&HistoryEntry| {
        let size = exchange.question.len() + exchange.reply.len();
        let fits = size <= left || left == HistoryEntry::BYTES;
        left = left.saturating_sub(size);
        fits
    };
    let fitting = all.iter().rev().take(window).take_while(fits).count();
    all.split_off(all.len() - fitting)
}
