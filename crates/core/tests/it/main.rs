//! The core through its public face: what a protocol can rely on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backpressure;
mod bounds;
mod coalesce;
mod deleted;
mod document;
mod document_model;
mod listing;
mod log;
mod model;
mod stress;

use quadrille_core::{
    BatchLimit, Delivery, Draft, Hub, Inbox, Life, Limits, OnSlow, Policies, Policy, Since, Topic,
};

/// Everything that is there, or at least one delivery.
const ALL: BatchLimit = BatchLimit { records: usize::MAX, bytes: usize::MAX };

fn hub(policy: Policy) -> Hub {
    Hub::new(Policies::from(policy), &Limits::default(), &Life::new())
}

/// A policy that holds `events` records and never makes a publisher wait.
fn holding(events: usize, on_slow: OnSlow) -> Policy {
    Policy { events, on_slow, patience: std::time::Duration::ZERO, ..Policy::default() }
}

fn topic(name: &str) -> Topic {
    Topic::new("room", name).unwrap()
}

fn following(hub: &Hub, topic: &Topic, since: Since) -> Inbox {
    let mut inbox = hub.inbox();
    inbox.subscribe(topic, since, 0).unwrap();
    inbox
}

async fn publish(hub: &Hub, topic: &Topic, payload: impl ToString) {
    hub.publish(Draft::new(topic.clone(), "n", payload.to_string())).await.unwrap();
}

/// Takes all deliveries without waiting: offsets as numbers, gaps as `-missed`, or `-0` if unknown.
fn drain(inbox: &mut Inbox) -> Vec<String> {
    let mut out = Vec::new();
    let waker = futures_util::task::noop_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    while inbox.poll_recv(&mut cx, ALL, &mut out).is_ready() {}
    out.iter().map(told).collect()
}

fn told(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Record(record, _) => record.at.offset.to_string(),
        Delivery::Gap(gap, _) => format!("-{}", gap.missed.unwrap_or_default()),
        Delivery::Deleted(..) => "deleted".to_owned(),
        Delivery::End(why) => format!("end {}", why.code),
    }
}
