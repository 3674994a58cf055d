//! What was said before in a topic, as far as its log still knows.
use std::collections::HashMap;

use quadrille_core::{Hub, Since, Topic, turn::TurnEvent};
use uuid::Uuid;

use crate::Exchange;

/// How far back it is looked, in records.
const RECORDS: usize = 1024;

/// The last `window` turns of `topic` that were completed with a reply, oldest first, as far as they
/// fit into [`Exchange::BYTES`].
pub(crate) fn exchanges(hub: &Hub, topic: &Topic, window: usize) -> Vec<Exchange> {
    if window == 0 {
        return Vec::new();
    }
    let Some(history) = hub.history(topic, Since::Now, RECORDS) else { return Vec::new() };
    let mut asked = HashMap::<Uuid, String>::new();
    let mut all = Vec::new();
    for record in &history.records {
        if !matches!(&*record.kind, "turn.started" | "turn.completed") {
            continue;
        }
        match TurnEvent::of(record) {
            Some(TurnEvent::Started(it)) => drop(asked.insert(it.turn, it.question.to_string())),
            Some(TurnEvent::Completed(it)) => {
                if let Some(question) = asked.remove(&it.turn)
                    && !it.text.trim().is_empty()
                {
                    all.push(Exchange { question, reply: it.text.to_string() });
                }
            }
            _ => {}
        }
    }
    let mut left = Exchange::BYTES;
    let fits = |it: &&Exchange| {
        let size = it.question.len() + it.reply.len();
        let fits = size <= left || left == Exchange::BYTES;
        left = left.saturating_sub(size);
        fits
    };
    let fitting = all.iter().rev().take(window).take_while(fits).count();
    all.split_off(all.len() - fitting)
}
