//! Clients in Python: the publisher that never reads, and a subscriber that resumes.
use std::path::Path;

use e2e::{
    Client, Form, Gateway,
    program::{Program, prepared},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const UPDATES: usize = 200;

/// Started twice, processing, responding, the updates, completed.
const FRAMES: usize = 5 + UPDATES;

fn publisher(gateway: &Gateway, company: &str) -> Program {
    let python = prepared("QUADRILLE_TEST_PYTHON_12");
    let args = ["session", &UPDATES.to_string(), company];
    Program::start(Path::new(&python), "py/seed004_publisher.py", gateway, &args, &[])
}

/// What a publisher printed: the frames it sent, and its last line.
fn sent(lines: &[String]) -> (Vec<&str>, &str) {
    let sent = lines.iter().filter_map(|line| line.strip_prefix("sent ")).collect();
    (sent, lines.last().map_or("", String::as_str))
}

/// A subscriber in this form, reading until it has `count` frames.
async fn listen(
    gateway: &Gateway,
    form: Form,
    count: usize,
    into: &mut JoinSet<(Form, Vec<String>)>,
) {
    let mut client = Client::connect(gateway).await;
    client.ask(form, "subscribe", json!({"channel": "session"})).await;
    into.spawn(async move {
        let mut got = Vec::new();
        while got.len() < count {
            got.push(client.next_text().await);
        }
        (form, got)
    });
}

#[tokio::test]
async fn a_stream_of_200_updates_reaches_subscribers_of_every_form_unchanged_and_in_order() {
    let gateway = Gateway::start(&[]).await;
    let mut subscribers = JoinSet::new();
    for form in Form::ALL {
        listen(&gateway, form, FRAMES, &mut subscribers).await;
    }
    let lines = publisher(&gateway, "alone").lines().await;
    let (sent, last) = sent(&lines);
    assert_eq!((sent.len(), last), (FRAMES, "open to the last"));
    for (form, got) in subscribers.join_all().await {
        assert_eq!(got, sent, "{form:?}");
    }
}

#[tokio::test]
async fn five_publishers_that_never_read_share_a_channel_and_survive() {
    const PUBLISHERS: usize = 5;
    let gateway = Gateway::start(&[("topics.chan.bytes", "67108864")]).await;
    let mut subscribers = JoinSet::new();
    for form in Form::ALL {
        listen(&gateway, form, PUBLISHERS * FRAMES, &mut subscribers).await;
    }
    let publishers: Vec<_> = (0..PUBLISHERS).map(|_| publisher(&gateway, "crowd")).collect();
    let mut streams = Vec::new();
    for publisher in publishers {
        streams.push(publisher.lines().await);
    }
    let heard = subscribers.join_all().await;
    for (form, got) in &heard {
        assert_eq!(got, &heard[0].1, "{form:?} hears the same order as {:?}", heard[0].0);
    }
    for lines in &streams {
        let (sent, last) = sent(lines);
        assert_eq!((sent.len(), last), (FRAMES, "open to the last"));
        // Every frame has its own time, so those of one publisher can be told from the others'.
        let its = heard[0].1.iter().filter(|frame| sent.contains(&frame.as_str()));
        assert_eq!(its.collect::<Vec<_>>(), sent);
    }
}

#[tokio::test]
async fn a_reader_on_the_newest_library_resumes_after_every_cut() {
    const RECORDS: u64 = 500;
    let gateway = Gateway::start(&[("topics.chan.events", "1024")]).await;
    let python = prepared("QUADRILLE_TEST_PYTHON_NEWEST");
    let args = ["session", "7"];
    let mut reader =
        Program::start(Path::new(&python), "py/resuming_reader.py", &gateway, &args, &[]);
    reader.said("ready").await;
    let mut publisher = Client::connect(&gateway).await;
    for n in 0..RECORDS {
        publisher.publish("session", &json!(n)).await;
    }
    publisher.publish("session", &Value::from("end")).await;
    let mut expected = vec!["ready".to_owned()];
    expected.extend((0..RECORDS).map(|n| format!("got {n}")));
    assert_eq!(reader.lines().await, expected);
}
