//! Publishers that wait for their readers, and for how long.
use std::time::Duration;

use quadrille_core::{Draft, Hub, OnSlow, Policy, Publish, Since, Topic};
use tokio::time::Instant;

use crate::{drain, following, holding, hub, topic};

fn patient(events: usize) -> Policy {
    Policy { patience: Duration::from_millis(20), ..holding(events, OnSlow::Skip) }
}

/// Publish until the hub asks to wait; how many that took.
async fn until_asked_to_wait(hub: &Hub, topic: &Topic) -> (usize, Publish) {
    for n in 1..10_000 {
        let publish = hub.publish(Draft::new(topic.clone(), "n", "1"));
        if matches!(publish, Publish::Wait(_)) {
            return (n, publish);
        }
        publish.await.unwrap();
    }
    panic!("never asked to wait");
}

#[tokio::test(start_paused = true)]
async fn without_readers_nobody_waits() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    for _ in 0..1000 {
        let publish = hub.publish(Draft::new(topic.clone(), "n", "1"));
        assert!(matches!(publish, Publish::Done(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_before_a_reader_loses_anything_and_goes_on_when_it_has_read() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for _ in 0..10 {
        let (published, waiting) = until_asked_to_wait(&hub, &topic).await;
        assert!(published <= 8);
        let begin = Instant::now();
        let read = async {
            let told = drain(&mut inbox);
            assert_eq!(told.len(), published, "{told:?}");
        };
        tokio::join!(waiting, read).0.unwrap();
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_costs_a_publisher_its_patience_once() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    let mut stuck = following(&hub, &topic, Since::Now);
    let begin = Instant::now();
    for _ in 0..1000 {
        hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
    }
    // The timer counts in milliseconds.
    let waited = begin.elapsed().as_millis();
    assert!((20..25).contains(&waited), "{waited} ms");
    assert_eq!(drain(&mut stuck).first().map(String::as_str), Some("-992"));
    // It has caught up, so it counts again.
    let (published, waiting) = until_asked_to_wait(&hub, &topic).await;
    assert!(published <= 9, "{published}");
    drop(stuck);
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_round_of_readers_gets_its_own_patience() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    let (_, mut first) = until_asked_to_wait(&hub, &topic).await;
    assert!(futures_util::poll!(&mut first).is_pending());
    tokio::time::sleep(Duration::from_millis(16)).await;
    drain(&mut inbox);
    // The first publisher was not run since, and its time is nearly over when this round begins.
    let (_, second) = until_asked_to_wait(&hub, &topic).await;
    let begin = Instant::now();
    let slow = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!drain(&mut inbox).first().unwrap().starts_with('-'));
    };
    let (first, second, ()) = tokio::join!(first, second, slow);
    assert!(first.is_ok() && second.is_ok());
    assert!(begin.elapsed().as_millis() < 20, "it ended when the reader had read");
    let (published, _) = until_asked_to_wait(&hub, &topic).await;
    assert!(published <= 8, "the reader still counts");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_publisher_goes_on_when_the_reader_leaves() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    let inbox = following(&hub, &topic, Since::Now);
    let (_, waiting) = until_asked_to_wait(&hub, &topic).await;
    let begin = Instant::now();
    tokio::join!(waiting, async { drop(inbox) }).0.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_resumes_from_far_behind_is_not_waited_for() {
    let (hub, topic) = (hub(patient(8)), topic("1"));
    for _ in 0..4 {
        hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
    }
    let mut late = following(&hub, &topic, Since::Start);
    for _ in 0..1000 {
        let publish = hub.publish(Draft::new(topic.clone(), "n", "1"));
        assert!(matches!(publish, Publish::Done(_)));
    }
    assert_eq!(drain(&mut late).len(), 9);
}
