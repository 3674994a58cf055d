//! The pump over an in-memory connection, with time under control.
use std::{convert::Infallible, time::Duration};

use quadrille_core::{
    Admission, Close, Delivery, Draft, Holder, Hub, Inbox, Life, Limits, Policies, Registry, Since,
    Topic,
};
use quadrille_edge::ws::{Config, Flow, Frames, Link, Protocol, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::Instant,
};

/// Answers each message with 1000 bytes, and tells a record as "r", unless it is of the kind `nothing`.
struct Verbose;

impl Protocol for Verbose {
    const NAME: &'static str = "test";

    type Done = Infallible;

    fn text(&mut self, _: &str, link: &mut Link<'_>) -> Flow<Infallible> {
        link.out.text(&"x".repeat(996));
        Flow::Continue
    }

    fn binary(&mut self, _: &mut Link<'_>) -> Flow<Infallible> {
        Flow::Continue
    }

    fn done(&mut self, done: Infallible, _: &mut Link<'_>) {
        match done {}
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            Delivery::Record(record, _) if record.kind == "nothing" => {}
            _ => out.text("r"),
        }
    }
}

/// The client's end of a connection whose pump runs beside the test.
fn connect(buffer: usize) -> (DuplexStream, Life) {
    let life = Life::new();
    let hub = Hub::new(Policies::default(), &Limits::default(), &life);
    (connect_to(&Registry::default(), hub.inbox(), &life, buffer), life)
}

fn connect_to(registry: &Registry, inbox: Inbox, life: &Life, buffer: usize) -> DuplexStream {
    connect_as(Verbose, registry, inbox, life, buffer)
}

fn connect_as(
    protocol: impl Protocol + 'static,
    registry: &Registry,
    inbox: Inbox,
    life: &Life,
    buffer: usize,
) -> DuplexStream {
    let (client, io) = duplex(buffer);
    let holder = Holder::Program;
    let who = Admission { protocol: "test", user: None, holder, peer: [127, 0, 0, 1].into() };
    let session = registry.admit(who).unwrap();
    let config = Config {
        max_message_size: 1 << 20,
        ping_interval: Duration::from_secs(30),
        ping_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(30),
    };
    life.spawn("pump", serve(io, session, inbox, protocol, config));
    client
}

/// The text "1", masked with zeros.
const TEXT: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'1'];
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];

#[tokio::test(start_paused = true)]
async fn reading_goes_on_when_the_answers_are_taken() {
    let (mut client, _life) = connect(200_000);
    client.write_all(&TEXT.repeat(400)).await.unwrap();
    // Until the pump has nothing left to do: its answers fill the pipe.
    tokio::time::sleep(Duration::from_millis(10)).await;
    client.write_all(&TEXT).await.unwrap();
    let begin = Instant::now();
    client.read_exact(&mut vec![0; 401 * 1000]).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_sent_though_the_client_sends_nothing_more() {
    for (last, answer) in [
        (TEXT.as_slice(), [0x81, 126]),
        (&CLOSE, [0x88, 2]),
        // A frame that no server takes: closed with 1002.
        (&[0xFF, 0xFF], [0x88, 16]),
    ] {
        let (mut client, _life) = connect(1 << 20);
        client.write_all(last).await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.get(..2), Some(answer.as_slice()), "{last:x?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_data_slowly_but_steadily_is_alive() {
    let (mut client, _life) = connect(1000);
    client.write_all(&TEXT.repeat(100)).await.unwrap();
    // 100 kB at 1 kB a second: pings wait behind the data all that time.
    for _ in 0..100 {
        client.read_exact(&mut [0; 1000]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_are_nothing_to_a_client_hold_up_none_of_the_others() {
    let (life, registry) = (Life::new(), Registry::default());
    let hub = Hub::new(Policies::default(), &Limits::default(), &life);
    let topic = Topic::from_channel("c").unwrap();
    let mut inbox = hub.inbox();
    inbox.subscribe(&topic, Since::Now, 0).unwrap();
    let mut client = connect_to(&registry, inbox, &life, 1 << 20);
    let begin = Instant::now();
    // A batch that is full by its bytes, one by its records, and one of more than a few rounds.
    for count in [1, 300, 1000] {
        let payload = format!("\"{}\"", "x".repeat(70_000 / count));
        for _ in 0..count {
            hub.publish(Draft::new(topic.clone(), "nothing", payload.as_str())).await.unwrap();
        }
        hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
        let mut frame = [0; 3];
        client.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, [0x81, 1, b'r']);
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "not only with the next ping");
}

/// A client of `c` that is behind by `records` when the process stops.
async fn behind(records: usize, buffer: usize) -> (DuplexStream, Life) {
    let (life, registry) = (Life::new(), Registry::default());
    let hub = Hub::new(Policies::default(), &Limits::default(), &life);
    let topic = Topic::from_channel("c").unwrap();
    let mut inbox = hub.inbox();
    inbox.subscribe(&topic, Since::Now, 0).unwrap();
    let client = connect_to(&registry, inbox, &life, buffer);
    for _ in 0..records {
        hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
    }
    registry.drain(Duration::ZERO).await;
    (client, life)
}

#[tokio::test(start_paused = true)]
async fn a_stop_comes_after_what_is_in_the_logs() {
    // More than one batch.
    let (mut client, _life) = behind(600, 1 << 20).await;
    let mut all = vec![0; 600 * 3 + 2];
    client.read_exact(&mut all).await.unwrap();
    let (records, close) = all.split_at(600 * 3);
    assert!(records.chunks(3).all(|frame| frame == [0x81, 1, b'r']));
    assert_eq!(close, [0x88, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_who_does_not_read() {
    let (_client, life) = behind(600, 100).await;
    let begin = Instant::now();
    assert!(life.stopped(Duration::from_secs(10)).await);
    assert_eq!(begin.elapsed().as_secs(), 4, "two to deliver, two to close");
}

/// Answers when it begins and to each message, a second later, with how many waits there were.
struct Slow(u8);

impl Slow {
    fn wait(&mut self) -> Flow<u8> {
        self.0 += 1;
        let count = self.0;
        Flow::Wait(Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            count
        }))
    }
}

impl Protocol for Slow {
    const NAME: &'static str = "test";

    type Done = u8;

    fn begin(&mut self, _: &mut Link<'_>) -> Flow<u8> {
        self.wait()
    }

    fn text(&mut self, _: &str, _: &mut Link<'_>) -> Flow<u8> {
        self.wait()
    }

    fn binary(&mut self, _: &mut Link<'_>) -> Flow<u8> {
        Flow::Close(Close::NORMAL)
    }

    fn done(&mut self, count: u8, link: &mut Link<'_>) {
        link.out.text(&count.to_string());
    }

    fn render(&mut self, _: Delivery, out: &mut Frames<'_>) {
        out.text("r");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_gives_its_result_before_the_next_message_and_holds_up_no_record() {
    let (life, registry) = (Life::new(), Registry::default());
    let hub = Hub::new(Policies::default(), &Limits::default(), &life);
    let topic = Topic::from_channel("c").unwrap();
    let mut inbox = hub.inbox();
    inbox.subscribe(&topic, Since::Now, 0).unwrap();
    let mut client = connect_as(Slow(0), &registry, inbox, &life, 1 << 20);
    client.write_all(&[TEXT, TEXT].concat()).await.unwrap();
    client.write_all(&[0x82, 0x80, 0, 0, 0, 0]).await.unwrap();
    hub.publish(Draft::new(topic, "n", "1")).await.unwrap();
    let begin = Instant::now();
    let mut all = Vec::new();
    for expected in [b"r", b"1", b"2", b"3"] {
        let mut frame = [0; 3];
        client.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, [0x81, 1, expected[0]]);
        all.push(begin.elapsed().as_secs());
    }
    assert_eq!(all, [0, 1, 2, 3]);
    let mut close = [0; 4];
    client.read_exact(&mut close).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xE8]);
}
