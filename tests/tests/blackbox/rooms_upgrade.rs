//! Sessions that poll and go on as a WebSocket, with nothing lost and nothing told twice.
use std::time::Duration;

use e2e::{
    Gateway, Raw, Sio,
    raw::{BINARY, CLOSE, FIN, PING, PONG, TEXT, frame},
    sio::Polling,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::rooms_engine::sessions;

/// A session that polls, in the room `den`, and all that was said is read.
async fn in_den(gateway: &Gateway) -> Polling {
    let (polling, _) = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    polling.send(&["40", r#"421["join_room",{"room":"den"}]"#]).await;
    let mut packets = Vec::new();
    while !packets.iter().any(|it: &String| it.starts_with("431[")) {
        packets.extend(polling.packets().await);
    }
    polling
}

async fn probe(gateway: &Gateway, polling: &Polling) -> Raw {
    let path = polling.upgrade_path();
    let mut raw = Raw::knock(gateway.address(), &path, &[], &[]).await.expect("a WebSocket");
    send(&mut raw, "2probe").await;
    assert_eq!(text(&mut raw).await, "3probe");
    raw
}

async fn send(raw: &mut Raw, packet: &str) {
    raw.send(&frame(FIN | TEXT, packet.as_bytes())).await;
}

async fn text(raw: &mut Raw) -> String {
    let (first, payload) = raw.frame().await.expect("a frame");
    assert_eq!(first & 0x0F, TEXT, "{}", String::from_utf8_lossy(&payload));
    String::from_utf8(payload).expect("text is UTF-8")
}

/// The number that a message says, if the packet is one.
fn number(packet: &str) -> Option<u64> {
    let event: Value = serde_json::from_str(packet.strip_prefix("42")?).ok()?;
    (event[0] == "new_message").then(|| event[1]["message"].as_u64()).flatten()
}

async fn say(client: &mut Sio, number: u64) {
    client.ask("message", &json!({"room": "den", "message": number})).await;
}

#[tokio::test]
async fn a_probe_lets_the_poll_go_and_the_session_goes_on_as_a_websocket() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let (waiting, mut raw) = tokio::join!(polling.packets(), probe(&gateway, &polling));
    assert_eq!(waiting, ["6"]);
    // In one write with what comes after it.
    let all = ["5", r#"421["e"]"#].map(|it| frame(FIN | TEXT, it.as_bytes()));
    raw.send(&all.concat()).await;
    assert_eq!(text(&mut raw).await, "431[]");
    assert_eq!(sessions(&gateway).await, 1, "it is the same session");
    for answer in [polling.get().await, polling.post(b"42[\"e\"]").await] {
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(1)));
    }
    // A second upgrade of it is none.
    let again = Raw::knock(gateway.address(), &polling.upgrade_path(), &[], &[]).await;
    assert_eq!(again.expect("a WebSocket").closed().await.0, 1000);
    let mut other = Sio::guest(&gateway).await;
    say(&mut other, 7).await;
    assert_eq!(number(&text(&mut raw).await), Some(7), "it is in its room");
}

#[tokio::test]
async fn what_was_not_polled_comes_over_the_websocket() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let mut other = Sio::guest(&gateway).await;
    // Answers and records that wait.
    polling.send(&[r#"427["e"]"#, r#"428["e"]"#]).await;
    say(&mut other, 1).await;
    let path = polling.upgrade_path();
    let mut raw = Raw::knock(gateway.address(), &path, &[], &[]).await.expect("a WebSocket");
    let all = ["2probe", "5", r#"429["e"]"#].map(|it| frame(FIN | TEXT, it.as_bytes()));
    raw.send(&all.concat()).await;
    let mut got = Vec::new();
    while got.len() < 5 {
        got.push(text(&mut raw).await);
    }
    assert_eq!(got[..3], ["3probe", "437[]", "438[]"]);
    assert!(got.contains(&"439[]".to_owned()), "{got:?}");
    assert_eq!(got.iter().filter_map(|it| number(it)).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_others_talk_all_the_time() {
    const MESSAGES: u64 = 3000;
    let gateway = Gateway::start(&[]).await;
    let mut tasks = JoinSet::new();
    let mut talker = Sio::guest(&gateway).await;
    let readers = 12;
    let mut polls = Vec::new();
    for _ in 0..readers {
        polls.push(in_den(&gateway).await);
    }
    let talk = async {
        for n in 0..MESSAGES {
            say(&mut talker, n).await;
        }
    };
    for (n, polling) in polls.into_iter().enumerate() {
        let address = gateway.address();
        tasks.spawn(async move {
            let mut seen = Vec::new();
            // Upgrades at different times of the talk.
            while seen.len() < n * 100 {
                seen.extend(polling.packets().await.iter().filter_map(|it| number(it)));
            }
            let path = polling.upgrade_path();
            let mut raw = Raw::knock(address, &path, &[], &[]).await.expect("a WebSocket");
            let poll = async {
                // Polls on until it is let go, as clients do.
                loop {
                    let packets = polling.packets().await;
                    if packets == ["6"] {
                        return;
                    }
                    seen.extend(packets.iter().filter_map(|it| number(it)));
                }
            };
            let probe = async {
                send(&mut raw, "2probe").await;
                assert_eq!(text(&mut raw).await, "3probe");
            };
            tokio::join!(poll, probe);
            send(&mut raw, "5").await;
            while seen.last() != Some(&(MESSAGES - 1)) {
                seen.extend(number(&text(&mut raw).await));
            }
            seen
        });
    }
    talk.await;
    for seen in tasks.join_all().await {
        assert!(seen.iter().copied().eq(0..MESSAGES), "{} of {MESSAGES}", seen.len());
    }
}

#[tokio::test]
async fn who_probes_and_then_does_not_come_goes_on_polling() {
    let gateway = Gateway::start(&[]).await;
    let goodbye = frame(FIN | CLOSE, &1000_u16.to_be_bytes());
    let text = |it: &str| frame(FIN | TEXT, it.as_bytes());
    let ends = [
        vec![],
        vec![goodbye.clone()],
        vec![text("2probe")],
        vec![text("2probe"), goodbye],
        vec![text("2probe"), text("2probe")],
        vec![text("2probe"), text("42[\"e\"]")],
        vec![text("2probe"), text("6")],
        vec![text("2probe"), frame(0xFF, b"rubbish")],
        vec![text("2prob")],
        vec![text("5")],
        vec![text("40")],
        vec![frame(FIN | TEXT, b"\xff\xfe")],
    ];
    let polling = in_den(&gateway).await;
    let mut other = Sio::guest(&gateway).await;
    for (n, frames) in (0..).zip(ends) {
        let path = polling.upgrade_path();
        let mut raw = Raw::knock(gateway.address(), &path, &[], &[]).await.expect("a WebSocket");
        let leave = async {
            raw.send(&frames.concat()).await;
            raw.finish().await;
            // Of two at once the second one would be closed.
            raw.closed().await;
            drop(raw);
            say(&mut other, n).await;
        };
        let (mut seen, ()) = tokio::join!(polling.packets(), leave);
        while !seen.iter().any(|it| number(it).is_some()) {
            assert_eq!(seen, ["6"], "after {n}");
            seen = polling.packets().await;
        }
        assert_eq!(seen.iter().filter_map(|it| number(it)).collect::<Vec<_>>(), [n]);
    }
    assert_eq!(sessions(&gateway).await, 2);
}

#[tokio::test]
async fn who_takes_too_long_is_closed_and_goes_on_polling() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let mut raw = probe(&gateway, &polling).await;
    // While it is undecided, a poll that finds nothing does not wait.
    assert_eq!(polling.packets().await, ["6"]);
    polling.send(&[r#"421["e"]"#]).await;
    assert_eq!(polling.packets().await, ["431[]"]);
    let begin = tokio::time::Instant::now();
    assert_eq!(raw.closed().await.0, 1000);
    assert!(begin.elapsed() > Duration::from_secs(5), "{:?}", begin.elapsed());
    send(&mut raw, "5").await;
    let mut other = Sio::guest(&gateway).await;
    let (packets, ()) = tokio::join!(polling.packets(), say(&mut other, 1));
    assert_eq!(packets.iter().filter_map(|it| number(it)).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn two_websockets_cannot_have_one_session() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let mut raw = probe(&gateway, &polling).await;
    let second = Raw::knock(gateway.address(), &polling.upgrade_path(), &[], &[]).await;
    assert_eq!(second.expect("a WebSocket").closed().await.0, 1000);
    send(&mut raw, "5").await;
    send(&mut raw, r#"421["e"]"#).await;
    assert_eq!(text(&mut raw).await, "431[]");
}

#[tokio::test]
async fn a_ping_of_rfc_6455_is_answered_before_and_after_the_upgrade() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let mut raw = probe(&gateway, &polling).await;
    for packet in ["5", ""] {
        raw.send(&frame(FIN | PING, b"there?")).await;
        assert_eq!(raw.frame().await, Some((FIN | PONG, b"there?".to_vec())));
        send(&mut raw, packet).await;
    }
}

#[tokio::test]
async fn packets_of_a_probe_that_has_ended_mean_nothing_on_a_websocket() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Sio::guest(&gateway).await;
    for packet in ["2probe", "3probe", "2", "3", "5", "6", "0"] {
        client.send(packet).await;
        assert_eq!(client.settled().await, [""; 0], "{packet:?}");
    }
    client.raw().send(&frame(FIN | BINARY, &[4, 2])).await;
    assert_eq!(client.settled().await, [""; 0]);
}

#[tokio::test]
async fn a_frame_that_is_no_packet_ends_the_connection() {
    let gateway = Gateway::start(&[]).await;
    for packet in ["7", "", "b", "é", "\u{1e}", "abc"] {
        let mut client = Sio::guest(&gateway).await;
        client.send(packet).await;
        assert_eq!(client.raw().closed().await.0, 1002, "{packet:?}");
    }
}

#[tokio::test]
async fn a_poll_after_an_upgrade_that_waited_for_nothing_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let polling = in_den(&gateway).await;
    let path = polling.upgrade_path();
    let mut raw = Raw::knock(gateway.address(), &path, &[], &[]).await.expect("a WebSocket");
    let upgrade = ["2probe", "5"].map(|it| frame(FIN | TEXT, it.as_bytes())).concat();
    let (poll, ()) = tokio::join!(polling.get(), raw.send(&upgrade));
    assert_eq!((poll.status, &poll.json()["code"]), (400, &json!(1)));
    assert_eq!(text(&mut raw).await, "3probe");
}

#[tokio::test]
async fn who_upgrades_is_pinged_over_the_websocket() {
    let gateway = Gateway::start(&[("rooms.ping_interval", "300ms")]).await;
    let polling = in_den(&gateway).await;
    let mut raw = probe(&gateway, &polling).await;
    send(&mut raw, "5").await;
    for _ in 0..3 {
        assert_eq!(text(&mut raw).await, "2");
        send(&mut raw, "3").await;
    }
}
