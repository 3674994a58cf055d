//! A Cat that is down, refuses, is deaf or dies.
use std::time::Duration;

use e2e::{
    eventually,
    fake::cat::{Cat, Gate, Step, Version},
};
use quadrille_agents::{Code, Part, Settings};
use tokio::task::JoinSet;

use crate::driver::{agent, agent_of, answer, ask, failure, part, parts, settings};

#[tokio::test]
async fn a_cat_that_is_down_is_unreachable_until_it_is_back() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    let address = cat.die().await;
    assert_eq!(failure(&agent, "ann", "a").await.code, Code::Unreachable);
    let cat = Cat::at(address, Version::V1_8).await;
    eventually("a reply", async || parts(ask(&agent, "ann", "b")).await.ok()).await;
    assert_eq!(cat.questions(), ["b"]);
}

#[tokio::test]
async fn a_cat_that_is_down_is_not_dialled_for_every_turn() {
    let cat = Cat::start().await;
    cat.refuse(503);
    let agent = agent(&cat);
    let mut asking = JoinSet::new();
    for n in 0..256 {
        let agent = agent.clone();
        asking.spawn(async move { failure(&agent, &format!("user {n}"), "a").await.code });
    }
    let codes = asking.join_all().await;
    assert!(codes.iter().all(|code| *code == Code::Unreachable), "{codes:?}");
    assert!(cat.knocks() <= 32 + 8, "dialled {} times", cat.knocks());
    cat.refuse(None);
    eventually("a reply", async || parts(ask(&agent, "ann", "b")).await.ok()).await;
    // After one success everybody may dial again.
    assert_eq!(answer(&agent, "bob", "c").await, "re: c");
}

#[tokio::test]
async fn a_refused_handshake_is_told_as_such_and_is_no_reason_to_wait() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for status in [401, 403, 404, 307, 500] {
        cat.refuse(status);
        assert_eq!(failure(&agent, "ann", "a").await.code, Code::Refused, "{status}");
    }
    cat.refuse(None);
    assert_eq!(answer(&agent, "ann", "b").await, "re: b");
}

#[tokio::test]
async fn a_deaf_cat_is_a_connect_time_out() {
    let cat = Cat::start().await;
    cat.deafen();
    let short = Duration::from_millis(50);
    let agent = agent_of(&Settings { connect_timeout: short, ..settings(&cat) });
    assert_eq!(failure(&agent, "ann", "a").await.code, Code::ConnectTimeout);
}

#[tokio::test]
async fn a_cat_that_dies_breaks_off() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    cat.next([Step::token("well"), Step::Hold(Gate::new())]);
    let mut reply = ask(&agent, "ann", "a");
    assert_eq!(part(&mut reply).await.unwrap(), Part::Text("well".to_owned()));
    cat.die().await;
    assert_eq!(parts(reply).await.unwrap_err().code, Code::BrokenOff);
}

#[tokio::test]
async fn a_reply_that_ends_before_its_end_is_broken_off() {
    let half = Step::Bytes(vec![0x81, 0x20, b'{', b'"']);
    for end in [vec![Step::Cut], vec![half, Step::Cut], vec![Step::Close(1000)]] {
        let cat = Cat::start().await;
        cat.next([vec![Step::token("well")], end].concat());
        assert_eq!(failure(&agent(&cat), "ann", "a").await.code, Code::BrokenOff);
        cat.closed(0).await;
    }
}

#[tokio::test]
async fn a_reply_without_end_goes_on_until_it_is_dropped() {
    let cat = Cat::start().await;
    cat.next([Step::Endless("more ".to_owned())]);
    let mut reply = ask(&agent(&cat), "ann", "a");
    for _ in 0..10_000 {
        assert_eq!(part(&mut reply).await.unwrap(), Part::Text("more ".to_owned()));
    }
    drop(reply);
    cat.closed(0).await;
}

#[tokio::test]
async fn a_cat_without_tls_is_not_reached_by_wss() {
    let cat = Cat::start().await;
    let url = cat.url().replace("ws://", "wss://");
    let agent = agent_of(&Settings { url, ..settings(&cat) });
    assert_eq!(failure(&agent, "ann", "a").await.code, Code::Unreachable);
    assert_eq!(cat.connections().len(), 0);
}
