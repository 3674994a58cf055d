//! Readers and publishers on two workers.
use std::{collections::HashMap, sync::Arc, time::Duration};

use quadrille_core::{
    BatchLimit, Delivery, Draft, Event, Hub, Inbox, OnSlow, Policy, Since, Text, Topic, Wire,
    WireSlot,
};
use tokio::task::JoinSet;

use crate::{following, holding, hub, topic};

const RECORDS: u64 = 3000;

fn publishers(hub: &Hub, topics: &[Topic]) -> JoinSet<()> {
    let mut publishers = JoinSet::new();
    for _ in 0..4 {
        let (hub, topics) = (hub.clone(), topics.to_vec());
        publishers.spawn(async move {
            for n in 0..RECORDS / 4 {
                for topic in &topics {
                    hub.publish(Draft::new(topic.clone(), "n", n.to_string())).await.unwrap();
                }
            }
        });
    }
    publishers
}

/// Read all of `topics` to the end; how many records were missed.
async fn read_all(mut inbox: Inbox, topics: Vec<Topic>) -> u64 {
    let mut next: HashMap<Topic, u64> = topics.into_iter().map(|topic| (topic, 1)).collect();
    let (mut missed, mut out) = (0, Vec::new());
    while next.values().any(|next| *next <= RECORDS) {
        inbox.recv(BatchLimit { records: 7, bytes: usize::MAX }, &mut out).await;
        for delivery in out.drain(..) {
            match delivery {
                Delivery::Record(record, _) => {
                    let next = next.get_mut(&record.topic).unwrap();
                    assert_eq!(record.at.offset, *next, "strictly increasing by one, or a gap");
                    *next += 1;
                }
                Delivery::Gap(gap, _) => {
                    let next = next.get_mut(&gap.topic).unwrap();
                    *next += gap.missed.unwrap();
                    assert_eq!(gap.at.offset, *next - 1);
                    missed += gap.missed.unwrap();
                }
                Delivery::Deleted(topic, _) => panic!("{topic} is deleted"),
                Delivery::End(why) => panic!("{why:?}"),
            }
        }
    }
    missed
}

async fn stress(policy: Policy) -> u64 {
    let hub = hub(policy);
    let topics: Vec<_> = (0..8).map(|n| topic(&n.to_string())).collect();
    let mut readers = JoinSet::new();
    for _ in 0..64 {
        let mut inbox = hub.inbox();
        for topic in &topics {
            inbox.subscribe(topic, Since::Start, 0).unwrap();
        }
        readers.spawn(read_all(inbox, topics.clone()));
    }
    publishers(&hub, &topics).join_all().await;
    let done = tokio::time::timeout(Duration::from_mins(1), readers.join_all());
    done.await.expect("a reader slept through a record").into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost_and_nothing_reordered() {
    let everything = usize::try_from(RECORDS).unwrap();
    assert_eq!(stress(holding(everything, OnSlow::Skip)).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_small_ring_loses_is_accounted_for() {
    stress(holding(16, OnSlow::Skip)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patient_publishers_lose_nothing_even_with_a_small_ring() {
    let policy = Policy { patience: Duration::from_mins(1), ..holding(64, OnSlow::Skip) };
    assert_eq!(stress(policy).await, 0);
}

#[derive(Debug)]
struct HeldBytes;

impl Wire for HeldBytes {
    type Frame = (Text, Arc<()>);
    const SLOT: WireSlot = WireSlot::Broker;

    fn encode(event: &Event) -> Self::Frame {
        (event.payload.clone(), Arc::new(()))
    }

    fn held((frame, _): &Self::Frame, payload: &Text) -> usize {
        frame.held_beside(payload)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_readers_share_one_encoding() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    let mut readers = JoinSet::new();
    for _ in 0..1000 {
        let mut inbox = following(&hub, &topic, Since::Now);
        readers.spawn(async move {
            let mut out = Vec::new();
            inbox.recv(crate::ALL, &mut out).await;
            let Some(Delivery::Record(record, _)) = out.pop() else { panic!("a record") };
            Arc::clone(&record.frame::<HeldBytes>().1)
        });
    }
    hub.publish(Draft::new(topic, "n", "1")).await.unwrap();
    let encodings = readers.join_all().await;
    assert!(encodings.iter().all(|one| Arc::ptr_eq(one, &encodings[0])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_and_go_leave_no_trace() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    let mut churn = JoinSet::new();
    for _ in 0..8 {
        let (hub, topic) = (hub.clone(), topic.clone());
        churn.spawn(async move {
            for n in 0..500 {
                let mut inbox = following(&hub, &topic, Since::Now);
                hub.publish(Draft::new(topic.clone(), "n", n.to_string())).await.unwrap();
                let mut out = Vec::new();
                inbox.recv(crate::ALL, &mut out).await;
            }
        });
    }
    churn.join_all().await;
    let receipt = hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
    assert_eq!(receipt.subscribers, 0);
    assert_eq!(receipt.at.offset, 8 * 500 + 1);
}
