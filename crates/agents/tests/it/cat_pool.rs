//! How long a connection is kept, and when it is used again.
use std::time::Duration;

use e2e::{
    fake::cat::{Cat, Step},
    patience::within,
};
use quadrille_agents::{Code, Settings, open};
use quadrille_core::Life;

use crate::driver::{agent, agent_of, answer, failure, settings};

#[tokio::test]
async fn a_user_keeps_its_connection_and_nobody_else_gets_it() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for (user, text) in [("ann", "a"), ("bob", "b"), ("ann", "c"), ("bob", "d")] {
        assert_eq!(answer(&agent, user, text).await, format!("re: {text}"));
    }
    let on: Vec<_> = cat.calls().into_iter().map(|call| call.connection).collect();
    assert_eq!(on, [0, 1, 0, 1]);
}

#[tokio::test]
async fn an_idle_connection_answers_pings_and_is_closed_after_its_time() {
    let cat = Cat::start().await;
    let agent =
        agent_of(&Settings { idle_timeout: Some(Duration::from_secs(3)), ..settings(&cat) });
    answer(&agent, "ann", "a").await;
    cat.ping(0).await;
    cat.heard(0, 0x8A).await;
    assert_eq!(cat.closed(0).await.1, Some(1005));
    assert_eq!(answer(&agent, "ann", "b").await, "re: b");
    assert_eq!(cat.connections().len(), 2);
}

#[tokio::test]
async fn above_the_bound_the_connection_idle_for_longest_is_closed() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { max_idle: Some(2), ..settings(&cat) });
    for (user, text) in [("ann", "a"), ("bob", "b"), ("ann", "c"), ("cid", "d")] {
        answer(&agent, user, text).await;
    }
    cat.closed(1).await;
    cat.has_open(2).await;
    answer(&agent, "ann", "e").await;
    assert_eq!(cat.calls()[4].connection, 0);
}

#[tokio::test]
async fn with_a_bound_of_none_no_connection_is_kept() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { max_idle: Some(0), ..settings(&cat) });
    answer(&agent, "ann", "a").await;
    cat.closed(0).await;
    assert_eq!(answer(&agent, "ann", "b").await, "re: b");
}

#[tokio::test]
async fn a_connection_that_ended_while_idle_is_replaced_unnoticed() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for n in 0..10 {
        answer(&agent, "ann", &n.to_string()).await;
        cat.cut(n).await;
    }
    assert_eq!(answer(&agent, "ann", "last").await, "re: last");
    assert_eq!((cat.connections().len(), cat.calls().len()), (11, 11));
}

#[tokio::test]
async fn a_question_that_the_cat_may_have_read_is_not_asked_again() {
    for end in [Step::Cut, Step::Close(1011)] {
        let cat = Cat::start().await;
        let agent = agent(&cat);
        answer(&agent, "ann", "a").await;
        cat.next([end]);
        assert_eq!(failure(&agent, "ann", "once").await.code, Code::BrokenOff);
        assert_eq!(answer(&agent, "ann", "b").await, "re: b");
        assert_eq!(cat.questions(), ["a", "once", "b"]);
    }
}

#[tokio::test]
async fn idle_connections_are_closed_when_the_process_stops() {
    let cat = Cat::start().await;
    let life = Life::new();
    let agent = open("cat", &settings(&cat), &life).unwrap();
    answer(&agent, "ann", "a").await;
    assert!(within("the end", life.stopped(Duration::from_mins(1))).await);
    cat.closed(0).await;
    // A turn that waited may still run, and leaves nothing behind.
    answer(&agent, "ann", "b").await;
    cat.closed(1).await;
}
