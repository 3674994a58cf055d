//! Stopping with thousands connected and publishers that do not stop by themselves.
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use e2e::{
    Form, Gateway, Raw, http,
    raw::{CLOSE, FIN, TEXT, frame},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

const CONNECTIONS: usize = 5000;
const CHANNELS: usize = 5;
/// Records that each publisher has behind it when the signal comes.
const BEFORE: u64 = 10;
/// Distance at which a client that connected after a publisher is closed after it, too: the window
/// is 0.6 ms for each.
const LATER: usize = 500;

type Frames = Arc<Mutex<HashMap<u64, Vec<u8>>>>;

/// Frames of one subscriber, as digests, and its close code.
struct Heard {
    number: usize,
    frames: Vec<u64>,
    code: u16,
}

/// Connects, and follows one of the channels.
async fn subscribe(at: SocketAddr, number: usize) -> Raw {
    let mut raw = Raw::connect_with(at, &[]).await;
    let channel = format!("c{}", number % CHANNELS);
    let fields = json!({"channel": channel, "positions": true});
    let command = Form::Envelope.command("subscribe", fields).to_string();
    raw.send(&frame(FIN | TEXT, command.as_bytes())).await;
    let (_, answer) = raw.frame().await.expect("an answer");
    assert!(String::from_utf8_lossy(&answer).contains("subscribed"), "{answer:?}");
    raw
}

/// Connects `range`, a hundred at a time.
async fn connect(at: SocketAddr, range: std::ops::Range<usize>) -> Vec<(usize, Raw)> {
    let mut all = Vec::new();
    for first in range.clone().step_by(100) {
        let mut some = JoinSet::new();
        for number in first..range.end.min(first + 100) {
            some.spawn(async move { (number, subscribe(at, number).await) });
        }
        all.extend(some.join_all().await);
    }
    all
}

/// Reads to the end.
async fn read(number: usize, mut raw: Raw, texts: Frames) -> Heard {
    let mut frames = Vec::new();
    loop {
        let code = match raw.frame().await {
            Some((first, payload)) if first & 0x0F == TEXT => {
                let mut digest = DefaultHasher::new();
                payload.hash(&mut digest);
                frames.push(digest.finish());
                let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
                texts.entry(digest.finish()).or_insert(payload);
                continue;
            }
            Some((first, payload)) if first & 0x0F == CLOSE => {
                payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
            }
            Some(_) => continue,
            None => 1006,
        };
        return Heard { number, frames, code };
    }
}

/// A record whose origin and number can be told, and its channel.
fn record(from: &str, n: u64) -> Value {
    json!({"channel": format!("c{}", n % 5), "payload": {"from": from, "n": n}})
}

/// Publishes over a WebSocket until it is closed; `pong` acknowledges what came before `ping`.
async fn publish(mut raw: Raw, acknowledged: watch::Sender<u64>) -> u16 {
    let ping = Form::Envelope.command("ping", json!({})).to_string();
    for n in 0.. {
        let record = frame(FIN | TEXT, record("ws", n).to_string().as_bytes());
        raw.send(&[record, frame(FIN | TEXT, ping.as_bytes())].concat()).await;
        match raw.frame().await {
            Some((first, _)) if first & 0x0F == TEXT => acknowledged.send_replace(n + 1),
            Some((first, payload)) if first & 0x0F == CLOSE => {
                return payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            }
            other => panic!("neither an acknowledgement nor a close: {other:?}"),
        };
    }
    unreachable!("there is always a next number")
}

/// Publishes over HTTP until nobody listens.
async fn post(at: SocketAddr, acknowledged: watch::Sender<u64>) {
    let json = [("Content-Type", "application/json")];
    for n in 0.. {
        let mut record = record("http", n);
        record["key"] = format!("key-{n}").into();
        let body = record.to_string();
        match http::send(at, "POST", "/api/v1/publish", &json, body.as_bytes()).await {
            Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
            Err(_) => return,
        }
        acknowledged.send_replace(n + 1);
    }
}

/// The records of a channel as its most fortunate subscriber got them: positions without a hole,
/// and of each publisher every record, in order. Gives how far each publisher is in it.
fn check(channel: usize, longest: &[u64], texts: &HashMap<u64, Vec<u8>>) -> Vec<[u64; 2]> {
    let mut far = Vec::new();
    let mut next = [channel as u64; 2];
    for (offset, digest) in (1..).zip(longest) {
        let frame: Value = serde_json::from_slice(&texts[digest]).expect("a frame is JSON");
        let position = frame["position"].as_str().and_then(|it| it.split_once('-'));
        assert_eq!(position.map(|it| it.1), Some(&*format!("{offset}")), "{frame}");
        let from = usize::from(frame["payload"]["from"] == "http");
        assert_eq!(frame["payload"]["n"], next[from], "{frame}");
        next[from] += CHANNELS as u64;
        far.push(next);
    }
    far
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_are_closed_with_3001_and_miss_nothing_that_was_acknowledged() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(files > 2 * CONNECTIONS as u64, "{files} open files are too few for this test");
    let settings =
        [("server.drain_window", "3s"), ("server.grace", "60s"), ("topics.chan.events", "100000")];
    let mut gateway = Gateway::start(&settings).await;
    let at = gateway.address();
    let mut crowd = connect(at, 0..CONNECTIONS / 2).await;
    let publisher = Raw::connect(&gateway).await;
    crowd.extend(connect(at, CONNECTIONS / 2..CONNECTIONS).await);
    let texts = Frames::default();
    let mut readers = JoinSet::new();
    for (number, raw) in crowd {
        readers.spawn(read(number, raw, Arc::clone(&texts)));
    }
    let (by_ws, by_http) = (watch::Sender::new(0), watch::Sender::new(0));
    let (mut publishers, mut posters) = (JoinSet::new(), JoinSet::new());
    publishers.spawn(publish(publisher, by_ws.clone()));
    posters.spawn(post(at, by_http.clone()));
    for acknowledged in [&by_ws, &by_http] {
        let mut seen = acknowledged.subscribe();
        e2e::patience::within("records", seen.wait_for(|n| *n >= BEFORE)).await.unwrap();
    }
    let before = [*by_ws.borrow(), *by_http.borrow()];
    gateway.signal("TERM").await;
    posters.join_all().await;
    let closed = async || TcpStream::connect(at).await.err();
    e2e::eventually("the listener is closed", closed).await;
    let heard = readers.join_all().await;
    assert_eq!(publishers.join_all().await, [3001]);
    let end = gateway.wait().await;
    assert_eq!(end.code, Some(0), "{end:?}");
    let closed_otherwise: Vec<_> =
        heard.iter().map(|it| it.code).filter(|it| *it != 3001).collect();
    assert_eq!((heard.len(), closed_otherwise), (CONNECTIONS, Vec::new()));

    let after = [*by_ws.borrow(), *by_http.borrow()];
    let texts = texts.lock().unwrap();
    for channel in 0..CHANNELS {
        let of_channel = || heard.iter().filter(|it| it.number % CHANNELS == channel);
        let longest = of_channel().map(|it| &it.frames).max_by_key(|it| it.len()).unwrap();
        let far = check(channel, longest, &texts);
        for Heard { number, frames, .. } in of_channel() {
            assert_eq!(*frames, longest[..frames.len()], "{number} has other records");
            let [ws, http] = frames.len().checked_sub(1).map_or([0; 2], |last| far[last]);
            assert!(ws >= before[0] && http >= before[1], "{number}: {ws} {http} of {before:?}");
            if *number > CONNECTIONS / 2 + LATER {
                assert!(ws >= after[0], "{number}: {ws} of {after:?}");
            }
        }
    }
}
