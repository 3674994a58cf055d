//! The desk's telemetry: each log line together with its metric.
use std::sync::LazyLock;

use metrics::{Counter, Gauge, counter, gauge};

use crate::{
    ask::Refused,
    ticket::{Ending, TurnState},
};

/// The metrics of every turn, looked up once. The recorder must be installed before the first use.
struct Hot {
    running: Gauge,
    waiting: Gauge,
    completed: Counter,
}

static HOT: LazyLock<Hot> = LazyLock::new(|| Hot {
    running: gauge!("quadrille_turns_running"),
    waiting: gauge!("quadrille_turns_waiting"),
    completed: total("completed", ""),
});

fn total(how: &'static str, code: &'static str) -> Counter {
    counter!("quadrille_turns_total", "end" => how, "code" => code)
}

/// Sets how many turns run and wait.
pub(crate) fn load(running: usize, waiting: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let (running, waiting) = (running as f64, waiting as f64);
    HOT.running.set(running);
    HOT.waiting.set(waiting);
}

pub(crate) fn ended(turn: &TurnState, ending: &Ending) {
    let (how, code) = match ending {
        Ending::Completed(_) => ("completed", ""),
        Ending::Failed { code, .. } => ("failed", code.as_str()),
        Ending::Cancelled(_) => ("cancelled", ""),
    };
    let millis = u64::try_from(turn.asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(turn = %turn.id, agent = %turn.agent.name, how, millis, "turn ended");
    match ending {
        Ending::Completed(_) => HOT.completed.increment(1),
        _ => total(how, code).increment(1),
    }
}

pub(crate) fn refused(err: &Refused) {
    let reason = match err {
        Refused::TopicFull => "topic_full",
        Refused::DeskFull => "desk_full",
        Refused::Share => "share",
        Refused::NoAgent => "no_agent",
        Refused::KeyReused => "key_reused",
        Refused::Draining => "draining",
        Refused::Topics(_) => "topics",
    };
    tracing::debug!(reason, "question refused");
    counter!("quadrille_turns_refused_total", "reason" => reason).increment(1);
}
