//! One topic: order, resume, falling behind.
use quadrille_core::{OnSlow, Position, Since};

use crate::{drain, following, holding, hub, publish, topic};

#[tokio::test]
async fn records_arrive_once_and_in_order() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for n in 0..3 {
        publish(&hub, &topic, n).await;
    }
    assert_eq!(drain(&mut inbox), ["1", "2", "3"]);
    publish(&hub, &topic, 3).await;
    assert_eq!(drain(&mut inbox), ["4"]);
}

#[tokio::test]
async fn a_reconnect_resumes_after_the_position_it_names() {
    let (hub, topic) = (hub(holding(16, OnSlow::Skip)), topic("1"));
    for n in 0..3 {
        publish(&hub, &topic, n).await;
    }
    let token = hub.top(&topic).unwrap().to_string();
    for n in 3..6 {
        publish(&hub, &topic, n).await;
    }
    let mut inbox = following(&hub, &topic, Since::After(token.parse().unwrap()));
    assert_eq!(drain(&mut inbox), ["4", "5", "6"]);
}

#[tokio::test]
async fn who_comes_back_too_late_is_told_how_much_is_gone() {
    let (hub, topic) = (hub(holding(4, OnSlow::Disconnect)), topic("1"));
    publish(&hub, &topic, 0).await;
    let at = hub.top(&topic).unwrap();
    for n in 1..10 {
        publish(&hub, &topic, n).await;
    }
    let mut inbox = following(&hub, &topic, Since::After(at));
    assert_eq!(drain(&mut inbox), ["-5", "7", "8", "9", "10"]);
}

#[tokio::test]
async fn a_position_of_another_epoch_or_of_the_future_is_a_gap() {
    let (hub, topic) = (hub(holding(4, OnSlow::Skip)), topic("1"));
    publish(&hub, &topic, 0).await;
    let Position { epoch, offset } = hub.top(&topic).unwrap();
    for at in [Position { epoch: 1, offset }, Position { epoch, offset: 99 }] {
        let mut inbox = following(&hub, &topic, Since::After(at));
        assert_eq!(drain(&mut inbox), ["-0", "1"]);
    }
}

#[tokio::test]
async fn each_policy_does_what_it_says_to_a_slow_reader() {
    let cases = [
        (OnSlow::Skip, ["-6", "7", "8", "9", "10"].as_slice()),
        (OnSlow::Disconnect, &["end 3008"]),
        // Without keys nothing survives but what the ring holds.
        (OnSlow::Coalesce, &["-0", "7", "8", "9", "10"]),
    ];
    for (on_slow, want) in cases {
        let (hub, topic) = (hub(holding(4, on_slow)), topic("1"));
        let mut inbox = following(&hub, &topic, Since::Now);
        for n in 0..10 {
            publish(&hub, &topic, n).await;
        }
        let got = drain(&mut inbox);
        assert_eq!(
            got.get(..want.len()),
            Some(want)
                .map(|want| want.iter().map(ToString::to_string).collect::<Vec<_>>())
                .as_deref(),
            "{on_slow:?}"
        );
    }
}

#[tokio::test]
async fn nothing_arrives_after_unsubscribing_even_what_was_on_its_way() {
    let (hub, topic) = (hub(holding(4, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    publish(&hub, &topic, 0).await;
    assert!(inbox.unsubscribe(&topic));
    assert!(!inbox.unsubscribe(&topic));
    publish(&hub, &topic, 1).await;
    assert_eq!(drain(&mut inbox), Vec::<String>::new());
}

#[tokio::test]
async fn a_subscription_can_move_or_go_on_where_it_is() {
    let (hub, topic) = (hub(holding(9, OnSlow::Skip)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for n in 0..2 {
        publish(&hub, &topic, n).await;
    }
    assert_eq!(inbox.retag(&topic, 7), Some(Position { offset: 0, ..hub.top(&topic).unwrap() }));
    assert_eq!(drain(&mut inbox), ["1", "2"]);
    inbox.subscribe(&topic, Since::Start, 0).unwrap();
    assert_eq!(drain(&mut inbox), ["1", "2"]);
    assert_eq!(inbox.retag(&topic, 7), hub.top(&topic));
}

#[tokio::test]
async fn going_on_does_not_swallow_a_gap_that_is_due() {
    let (hub, topic) = (hub(holding(9, OnSlow::Skip)), topic("1"));
    publish(&hub, &topic, 0).await;
    let foreign = Position { epoch: 1, offset: 50 };
    let mut inbox = following(&hub, &topic, Since::After(foreign));
    let at = inbox.retag(&topic, 0).unwrap();
    assert_eq!(drain(&mut following(&hub, &topic, Since::After(at))), ["-0", "1"]);
    assert_eq!(drain(&mut inbox), ["-0", "1"]);
}

#[tokio::test]
async fn history_gives_the_newest_or_pages_from_a_position() {
    let (hub, topic) = (hub(holding(4, OnSlow::Skip)), topic("1"));
    assert!(hub.history(&topic, Since::Now, 9).is_none());
    for n in 0..6 {
        publish(&hub, &topic, n).await;
    }
    let ask = |since, limit| {
        let history = hub.history(&topic, since, limit).unwrap();
        let offsets: Vec<_> = history.records.iter().map(|record| record.at.offset).collect();
        (offsets, history.gap, history.at.offset)
    };
    let after = |offset| Since::After(Position { offset, ..hub.top(&topic).unwrap() });
    assert_eq!(ask(Since::Now, 2), (vec![5, 6], false, 6));
    assert_eq!(ask(after(2), 2), (vec![3, 4], false, 6));
    assert_eq!(ask(after(1), 9), (vec![3, 4, 5, 6], true, 6));
    assert_eq!(ask(after(6), 9), (vec![], false, 6));
}
