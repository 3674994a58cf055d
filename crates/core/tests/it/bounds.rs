//! Every bound, and what happens at it.
use std::time::Duration;

use quadrille_core::{
    Draft, Holder, Hub, Inbox, Life, Limits, OnSlow, Policies, Policy, Since, TooManyTopics,
};

use crate::{drain, following, holding, hub, publish, topic};

#[tokio::test]
async fn a_log_is_bounded_in_bytes_and_always_keeps_its_newest_record() {
    let policy = Policy { bytes: 4096, ..holding(1000, OnSlow::Skip) };
    let (hub, topic) = (hub(policy), topic("1"));
    for n in 0..100 {
        publish(&hub, &topic, format!("{n:0>1000}")).await;
        let held = hub.history(&topic, Since::Now, 1000).unwrap().records;
        assert!(held.iter().map(|record| record.size()).sum::<usize>() <= 4096);
        assert_eq!(held.last().unwrap().at, hub.top(&topic).unwrap());
    }
    publish(&hub, &topic, "9".repeat(5000)).await;
    assert_eq!(hub.history(&topic, Since::Now, 1000).unwrap().records.len(), 1);
}

#[tokio::test]
async fn all_logs_together_are_bounded_in_bytes() {
    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let hub = Hub::new(holding(100, OnSlow::Skip).into(), &limits, &Life::new());
    let topics: Vec<_> = (0..4).map(|n| topic(&n.to_string())).collect();
    for _ in 0..50 {
        for topic in &topics {
            publish(&hub, topic, "0".repeat(1000)).await;
        }
    }
    let held = |topic| hub.history(topic, Since::Now, 1000).unwrap().records;
    let all: usize = topics.iter().flat_map(held).map(|record| record.size()).sum();
    assert!(all <= 10_000, "{all} bytes");
}

#[tokio::test(start_paused = true)]
async fn idle_logs_make_room_before_a_log_in_use_loses_anything() {
    let limits = Limits { log_bytes: 100_000, ..Limits::default() };
    let hub = Hub::new(holding(40, OnSlow::Skip).into(), &limits, &Life::new());
    let used = topic("used");
    let mut inbox = following(&hub, &used, Since::Now);
    for n in 0..100 {
        publish(&hub, &topic(&n.to_string()), "0".repeat(1500)).await;
        publish(&hub, &used, n).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(drain(&mut inbox), [(n + 1).to_string()]);
    }
    assert_eq!(hub.history(&used, Since::Now, 1000).unwrap().records.len(), 40);
    assert_eq!((hub.top(&topic("0")), hub.top(&topic("99")).is_some()), (None, true));
}

#[tokio::test]
async fn a_new_topic_takes_the_place_of_an_idle_one_and_is_refused_when_all_are_in_use() {
    let limits = Limits { topics: 64, ..Limits::default() };
    let hub = Hub::new(Policies::default(), &limits, &Life::new());
    let mut inbox = hub.inbox();
    let mut refused = 0;
    for n in 0..200 {
        refused += usize::from(inbox.subscribe(&topic(&n.to_string()), Since::Now, 0).is_err());
    }
    assert_eq!((inbox.len(), refused), (64, 136));
    let draft = || Draft::new(topic("another"), "n", "1");
    assert!(hub.publish(draft()).await.is_err());
    drop(inbox);
    // What is idle is not looked for all the time when there was nothing.
    tokio::time::timeout(Duration::from_mins(1), async {
        while hub.publish(draft()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for n in 0..200 {
        publish(&hub, &topic(&format!("b{n}")), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_log_expires_and_its_successor_has_another_epoch() {
    let policy = Policy { keep: Duration::ZERO, ..holding(4, OnSlow::Skip) };
    let (hub, topic) = (hub(policy), topic("1"));
    publish(&hub, &topic, 0).await;
    let inbox = following(&hub, &topic, Since::Now);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let old = hub.top(&topic).expect("a log that is read does not expire");
    drop(inbox);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(hub.top(&topic), None);
    let mut inbox = following(&hub, &topic, Since::After(old));
    publish(&hub, &topic, 1).await;
    assert_eq!(drain(&mut inbox), ["-0", "1"]);
    assert!(hub.top(&topic).unwrap().epoch > old.epoch);
}

#[tokio::test(start_paused = true)]
async fn lower_limits_drop_what_is_idle_and_leave_what_is_in_use() {
    let hub = hub(holding(40, OnSlow::Skip));
    let used = topic("used");
    let _inbox = following(&hub, &used, Since::Now);
    publish(&hub, &used, 0).await;
    for n in 0..20 {
        publish(&hub, &topic(&n.to_string()), "0".repeat(1000)).await;
    }
    hub.reload(&Limits { topics: 4, ..Limits::default() });
    publish(&hub, &topic("new"), 0).await;
    assert!(hub.topics(None, 100).len() <= 4);
    hub.reload(&Limits { log_bytes: 1000, ..Limits::default() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left: Vec<_> = hub.topics(None, 100).into_iter().map(|info| info.topic).collect();
    assert_eq!(left, [used]);
}

#[tokio::test]
async fn epochs_are_never_reused() {
    let hub = hub(holding(4, OnSlow::Skip));
    let mut epochs = std::collections::HashSet::new();
    for n in 0..10_000 {
        publish(&hub, &topic(&n.to_string()), 0).await;
        assert!(epochs.insert(hub.top(&topic(&n.to_string())).unwrap().epoch));
    }
}

#[tokio::test]
async fn a_batch_is_as_large_as_the_room_for_it() {
    let (hub, topic) = (hub(holding(100, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for n in 0..10 {
        publish(&hub, &topic, n).await;
    }
    for (records, bytes, want) in [(3, usize::MAX, 3), (100, 1, 1), (100, usize::MAX, 6)] {
        let mut out = Vec::new();
        inbox.recv(quadrille_core::BatchLimit { records, bytes }, &mut out).await;
        assert_eq!(out.len(), want);
    }
}

#[tokio::test]
async fn a_topic_counts_for_one_of_those_who_follow_it_and_for_nobody_while_it_is_idle() {
    let limits = Limits { topics: 16, ..Limits::default() };
    let hub = Hub::new(Policies::default(), &limits, &Life::new());
    let holder = |name: &str| Holder::User(name.into());
    let (ann, bob) = (holder("ann"), holder("bob"));
    let follow = |inbox: &mut Inbox, name: &str| inbox.subscribe(&topic(name), Since::Now, 0);
    let (mut first, mut second) = (hub.inbox_of(ann.clone()), hub.inbox_of(ann.clone()));
    for name in ["1", "2", "3"] {
        follow(&mut first, name).unwrap();
    }
    follow(&mut second, "4").unwrap();
    assert_eq!(follow(&mut second, "5"), Err(TooManyTopics::Share));
    assert_eq!(hub.top(&topic("5")), None, "no log is made for who is refused");
    // What is followed already, or by somebody else, costs nothing more.
    follow(&mut second, "1").unwrap();
    let mut other = hub.inbox_of(bob.clone());
    follow(&mut other, "6").unwrap();
    follow(&mut second, "6").unwrap();
    follow(&mut other, "1").unwrap();
    follow(&mut other, "2").unwrap();
    // The first follower leaves: another pays, however far behind it is.
    other.subscribe(&topic("2"), Since::Start, 0).unwrap();
    first.unsubscribe(&topic("2"));
    follow(&mut first, "5").unwrap();
    drop(other);
    // Topic 6 is ann's now, beyond the share; she gets no further one before she leaves two.
    assert_eq!(follow(&mut first, "7"), Err(TooManyTopics::Share));
    second.unsubscribe(&topic("6"));
    assert_eq!(follow(&mut first, "7"), Err(TooManyTopics::Share));
    drop(second);
    follow(&mut first, "7").unwrap();
    // Idle topics are in nobody's share, and make room for as many as there may be.
    drop(first);
    let inboxes = ["a", "b", "c", "d"].map(|name| {
        let mut inbox = hub.inbox_of(holder(name));
        for n in 0..4 {
            follow(&mut inbox, &format!("{name}{n}")).unwrap();
        }
        inbox
    });
    let mut late = hub.inbox_of(bob);
    assert_eq!(follow(&mut late, "8"), Err(TooManyTopics::Full));
    drop(inboxes);
}
