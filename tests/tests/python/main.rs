//! Clients in Python: the publisher that never reads, a subscriber that resumes, the client of the
//! Cheshire Cat, which the gateway takes the place of, Socket.IO, workflows, the tools that test an
//! API by its description, and the client of what upstreams say.
mod rooms;
mod upstreams;
mod workflows;

use std::path::Path;

use e2e::{
    Client, Form, Gateway,
    fake::cat::Cat,
    program::{Program, clients, prepared},
    token::{JWT, token},
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

/// Output of a publisher: the frames it sent, and its last line.
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

/// The recorded frames that the tests of agents use are those that the client still sends.
#[tokio::test]
async fn the_recording_of_the_cheshire_cat_client_is_what_it_sends() {
    let recorded = std::fs::read_to_string(clients().join("py/cheshire_cat_api.json"));
    let recorded: Value = serde_json::from_str(&recorded.expect("it is there")).expect("JSON");
    let text = |key: &str| recorded[key].as_str().unwrap_or_default().to_owned();
    let cat = Cat::start().await;
    let (host, port) = (cat.address().ip().to_string(), cat.address().port().to_string());
    let args = [&host, &port, &text("user"), &text("token"), &text("text")];
    let args = args.map(String::as_str);
    let python = prepared("QUADRILLE_TEST_PYTHON_CAT");
    let client = Program::start_with(Path::new(&python), "py/cheshire_cat_ask.py", &args, &[]);
    let printed = client.lines().await;
    let last: Value = serde_json::from_str(printed.last().expect("a reply")).expect("JSON");
    assert_eq!(last["content"], format!("re: {}", text("text")));

    let it = &cat.connections()[0];
    let frame = &it.frames[0];
    let mut sent = json!({
        "user": text("user"),
        "token": text("token"),
        "text": text("text"),
        "request": it.request_line(),
        "first": frame.first,
        "masked": frame.is_masked,
        "frame": it.texts()[0],
    });
    for header in it.head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        let (name, value) = (header.0.to_lowercase(), header.1);
        if name != "sec-websocket-key" {
            sent[name] = value.replace(&cat.address().to_string(), "HOST:PORT").into();
        }
    }
    assert_eq!(sent, recorded, "{sent:#}");
}

/// Requests of each kind to each door.
const EXAMPLES: &str = "20";

/// Steps for others are left to nobody, and none is refused for that.
const PATIENT: (&str, &str) = ("workflows.max_waiting", "100000");

/// Every door does what `/openapi.json` says, whatever is asked; `token` as the script takes it.
async fn as_described(gateway: &Gateway, token: &[&str]) {
    let python = prepared("QUADRILLE_TEST_PYTHON_API");
    let args = [&[EXAMPLES], token].concat();
    let mut tool = Program::start(Path::new(&python), "py/described_api.py", gateway, &args, &[]);
    for done in ["valid", "Loaded", "Examples (in ", "Coverage (in ", "Fuzzing (in "] {
        tool.said_of(done).await;
    }
    let lines = tool.lines().await;
    let tested = lines.iter().any(|line| line.trim() == "Tested: 88");
    assert!(tested, "{lines:#?}");
}

#[tokio::test]
async fn the_doors_do_as_they_are_described() {
    as_described(&Gateway::start(&[PATIENT]).await, &[]).await;
}

#[tokio::test]
async fn the_doors_do_as_they_are_described_for_who_has_a_token() {
    let gateway = Gateway::start(&[&JWT[..], &[PATIENT]].concat()).await;
    let scope = "topics sessions sessions:end work backup";
    let all = json!({"sub": "7", "topics": ["*"], "scope": scope});
    as_described(&gateway, &[&token(all)]).await;
}

#[tokio::test]
async fn the_doors_do_as_they_are_described_for_who_has_none() {
    as_described(&Gateway::start(&JWT).await, &["none"]).await;
}
