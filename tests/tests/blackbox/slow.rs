//! Subscribers that do not read: what it costs, and what they find when they come back to it.
use e2e::{Client, Gateway, eventually};
use serde_json::{Value, json};

const RING: usize = 32;
const PADDING: usize = 64 << 10;

/// A gateway whose channels hold 32 records of 64 KiB.
async fn gateway(more: &[(&str, &str)]) -> Gateway {
    let mut settings = vec![
        ("topics.chan.events", "32"),
        ("topics.chan.bytes", "16777216"),
        ("topics.chan.patience", "0s"),
        ("broker.write_timeout", "1h"),
        // Who does not read answers no pings.
        ("broker.ping_interval", "0s"),
    ];
    settings.extend_from_slice(more);
    Gateway::start(&settings).await
}

/// A publisher and a reader that keeps up with it, so that nothing but the slow ones are slow.
struct Pair {
    publisher: Client,
    reader: Client,
    sent: usize,
}

impl Pair {
    async fn join(gateway: &Gateway) -> Self {
        let mut reader = Client::connect(gateway).await;
        reader.subscribe("c").await;
        Self { publisher: Client::connect(gateway).await, reader, sent: 0 }
    }

    /// Publishes `count` records made by `record`, and sees each of them arrive.
    async fn pass(&mut self, count: usize, record: impl Fn(usize) -> Value) {
        let end = self.sent + count;
        while self.sent < end {
            let batch: Vec<_> =
                (self.sent..end.min(self.sent + RING / 4)).map(|n| record(n).to_string()).collect();
            self.sent += batch.len();
            for frame in &batch {
                self.publisher.send_text(frame.as_str()).await;
            }
            for frame in &batch {
                assert!(self.reader.next_text().await == *frame, "a healthy reader lost a record");
            }
        }
    }
}

/// A record with a number; `message_id` makes it an update of that message.
fn record(n: usize, message_id: Option<String>) -> Value {
    let mut payload = json!({"n": n, "message": "x".repeat(PADDING)});
    if let Some(id) = message_id {
        payload["message_id"] = id.into();
    }
    json!({"channel": "c", "payload": payload})
}

async fn slow_client(gateway: &Gateway) -> Client {
    let mut client = Client::narrow(gateway).await;
    client.subscribe("c").await;
    client
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| n.try_into().ok())
}

/// Reads up to record `last`: the numbers of the records, and `missed` of the gaps.
async fn read_up_to(client: &mut Client, last: usize) -> (Vec<usize>, Vec<Option<usize>>) {
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    while records.last() != Some(&last) {
        let frame = client.next_json().await;
        if let Some(n) = number(&frame["payload"]["n"]) {
            records.push(n);
        } else {
            assert_eq!(frame["payload"]["action"], "gap", "{frame}");
            gaps.push(number(&frame["payload"]["missed"]));
        }
    }
    (records, gaps)
}

fn sum(gaps: &[Option<usize>]) -> usize {
    gaps.iter().map(|missed| missed.expect("a gap of known size")).sum()
}

async fn closed_as_slow(gateway: &Gateway) -> bool {
    gateway.metrics().await.sum("quadrille_connections_ended_total", &[("code", "3008")]) >= 1
}

#[tokio::test]
async fn subscribers_that_never_read_cost_bounded_memory_and_nobody_else_a_record() {
    let gateway = gateway(&[]).await;
    let mut stuck = Vec::new();
    for _ in 0..10 {
        stuck.push(slow_client(&gateway).await);
    }
    let mut pair = Pair::join(&gateway).await;
    pair.pass(100, |n| record(n, None)).await;
    let before = gateway.rss_kib();
    pair.pass(2000, |n| record(n, None)).await;
    let grown = gateway.rss_kib().saturating_sub(before);
    let published = 2000 * PADDING / 1024;
    assert!(grown < 32 << 10, "grew by {grown} KiB while {published} KiB were published");
}

#[tokio::test]
async fn skip_tells_how_many_were_lost_and_goes_on() {
    let gateway = gateway(&[("topics.chan.on_slow", "skip")]).await;
    let mut slow = slow_client(&gateway).await;
    let mut pair = Pair::join(&gateway).await;
    pair.pass(1000, |n| record(n, None)).await;
    let (records, gaps) = read_up_to(&mut slow, 999).await;
    let missed = sum(&gaps);
    assert!(missed > 0, "it was slow");
    assert!(records.is_sorted_by(|a, b| a < b), "{records:?}");
    assert_eq!(records.len() + missed, 1000, "each is received or told as missed");
    let told = gateway.metrics().await.sum("quadrille_records_missed_total", &[]);
    assert_eq!(usize::try_from(told), Ok(missed));
    pair.pass(3, |n| record(n, None)).await;
    assert_eq!(read_up_to(&mut slow, 1002).await, (vec![1000, 1001, 1002], vec![]));
}

#[tokio::test]
async fn coalesce_keeps_the_newest_update_of_each_message() {
    const MESSAGES: usize = 5;
    let gateway = gateway(&[("topics.chan.on_slow", "coalesce")]).await;
    let mut slow = slow_client(&gateway).await;
    let mut pair = Pair::join(&gateway).await;
    let update = |n| record(n, Some(format!("m{}", n % MESSAGES)));
    // The last update of one message is long past when the others go on.
    pair.pass(1, |n| record(n, Some("early".to_owned()))).await;
    pair.pass(1000, update).await;
    let (records, gaps) = read_up_to(&mut slow, 1000).await;
    assert_eq!(gaps, [], "nothing that has a key is lost");
    assert!(records.is_sorted_by(|a, b| a < b), "{records:?}");
    assert!(records.len() < 1000, "some updates were superseded");
    let mut last: Vec<_> = records.iter().rev().take(MESSAGES).collect();
    last.sort();
    assert_eq!(last, [&996, &997, &998, &999, &1000], "the newest state of every message");
    assert_eq!(records[0], 0, "also of one that was updated long ago");
    let coalesced = gateway.metrics().await.sum("quadrille_records_coalesced_total", &[]);
    assert!(coalesced > 0, "it is counted");
    pair.pass(2, update).await;
    assert_eq!(read_up_to(&mut slow, 1002).await, (vec![1001, 1002], vec![]));
}

#[tokio::test]
async fn coalesce_tells_of_lost_records_that_have_no_message_id() {
    let gateway = gateway(&[("topics.chan.on_slow", "coalesce")]).await;
    let mut slow = slow_client(&gateway).await;
    let mut pair = Pair::join(&gateway).await;
    pair.pass(1000, |n| record(n, None)).await;
    let (records, gaps) = read_up_to(&mut slow, 999).await;
    assert!(records.is_sorted_by(|a, b| a < b), "{records:?}");
    assert!(records.len() < 1000 && !gaps.is_empty(), "{} records, {gaps:?}", records.len());
}

#[tokio::test]
async fn disconnect_closes_with_3008_and_the_client_can_resume() {
    let gateway = gateway(&[("topics.chan.on_slow", "disconnect")]).await;
    let mut slow = Client::narrow(&gateway).await;
    slow.subscribe_with(json!({"channel": "c", "positions": true})).await;
    let mut pair = Pair::join(&gateway).await;
    pair.pass(1000, |n| record(n, None)).await;
    let (frames, (code, _)) = slow.drained().await;
    assert_eq!((code, closed_as_slow(&gateway).await), (3008, true));
    let last: Value = serde_json::from_str(frames.last().expect("some arrived")).unwrap();
    let mut back = Client::connect(&gateway).await;
    back.subscribe_with(json!({"channel": "c", "since": last["position"]})).await;
    let (records, gaps) = read_up_to(&mut back, pair.sent - 1).await;
    let before = number(&last["payload"]["n"]).unwrap() + 1;
    assert_eq!(before + records.len() + sum(&gaps), pair.sent, "nothing is lost in silence");
}

#[tokio::test]
async fn a_client_that_takes_no_data_is_closed_after_the_write_timeout() {
    let gateway = gateway(&[("broker.write_timeout", "200ms")]).await;
    let mut slow = slow_client(&gateway).await;
    let mut pair = Pair::join(&gateway).await;
    eventually("the stuck client to be closed", async || {
        pair.pass(50, |n| record(n, None)).await;
        closed_as_slow(&gateway).await.then_some(())
    })
    .await;
    let (_, (code, _)) = slow.drained().await;
    assert!([3008, 1006].contains(&code), "there may be no room for the close frame: {code}");
}
