//! A topic that is deleted: its readers get what there was, and then the end.
use std::time::Duration;

use quadrille_core::{Draft, OnSlow, Since};

use crate::{ALL, drain, following, holding, hub, publish, topic};

#[tokio::test]
async fn readers_get_what_there_was_and_then_the_end_and_nothing_of_a_later_topic() {
    for on_slow in [OnSlow::Skip, OnSlow::Coalesce, OnSlow::Disconnect] {
        let (hub, topic) = (hub(holding(16, on_slow)), topic("1"));
        let mut parked = following(&hub, &topic, Since::Now);
        let mut behind = following(&hub, &topic, Since::Now);
        publish(&hub, &topic, 1).await;
        assert_eq!(drain(&mut parked), ["1"]);
        hub.delete(&topic);
        publish(&hub, &topic, 2).await;
        assert_eq!(drain(&mut parked), ["deleted"]);
        assert_eq!(drain(&mut behind), ["1", "deleted"]);
        publish(&hub, &topic, 3).await;
        assert_eq!([drain(&mut parked), drain(&mut behind)], [[""; 0]; 2]);
        assert_eq!(parked.topics().count(), 0);
        assert_eq!(hub.subscribers(&topic), 0);
        parked.subscribe(&topic, Since::Start, 0).unwrap();
        assert_eq!(drain(&mut parked), ["1", "2"], "a topic of its own, counted anew");
    }
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    let mut waiting = Box::pin(async move {
        let mut out = Vec::new();
        inbox.recv(ALL, &mut out).await;
        out.iter().map(crate::told).collect::<Vec<_>>()
    });
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    hub.delete(&topic);
    assert_eq!(waiting.await, ["deleted"]);
}

#[tokio::test]
async fn whoever_follows_it_anew_before_being_told_follows_the_new_one() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    hub.delete(&topic);
    assert_eq!(inbox.retag(&topic, 7), None);
    inbox.subscribe(&topic, Since::Now, 7).unwrap();
    publish(&hub, &topic, 1).await;
    assert_eq!(drain(&mut inbox), ["1"]);
    assert!(inbox.unsubscribe(&topic));
}

#[tokio::test]
async fn a_position_of_a_deleted_topic_is_none_of_the_next() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    publish(&hub, &topic, 1).await;
    let at = hub.top(&topic).unwrap();
    hub.delete(&topic);
    publish(&hub, &topic, 2).await;
    assert_eq!(drain(&mut following(&hub, &topic, Since::After(at))), ["-0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn readers_that_do_not_read_hold_the_records_of_a_deleted_topic_for_a_while_only() {
    let limits = quadrille_core::Limits { log_bytes: 64 << 10, ..Default::default() };
    let policies = quadrille_core::Policies::from(holding(1024, OnSlow::Skip));
    let hub = quadrille_core::Hub::new(policies, &limits, &quadrille_core::Life::new());
    let old = topic("old");
    let mut inbox = following(&hub, &old, Since::Now);
    let payload = format!("{:?}", "x".repeat(40 << 10));
    hub.publish(Draft::new(old.clone(), "n", payload)).await.unwrap();
    hub.delete(&old);
    // It is pressed: what is deleted goes first, and then there is room for others.
    let new = topic("new");
    while hub.history(&new, Since::Now, 99).is_none_or(|history| history.records.len() < 9) {
        publish(&hub, &new, format!("{:?}", "y".repeat(2 << 10))).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(drain(&mut inbox), ["-1", "deleted"]);
}
