//! The wire as the Cat sees it: path, token and frame, as its own Python client sends them.
use std::sync::{Mutex, OnceLock, PoisonError};

use e2e::{
    fake::cat::{Cat, Gate, Step},
    program::clients,
};
use log::{Log, Metadata, Record};
use quadrille_agents::{Code, Settings};
use serde_json::Value;

use crate::driver::{agent, agent_of, answer, failure, settings};

const TOKEN: &str = "meow-5ecret/+?&=#%41";

#[tokio::test]
async fn a_user_id_arrives_intact_whatever_is_in_it() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { url: format!("{}/base/", cat.url()), ..settings(&cat) });
    let users = [
        "ann",
        "a/../b",
        "..",
        ".",
        "/",
        "?token=x",
        "#x",
        "%2e%2e%2f",
        "%0d%0aX-Evil: 1",
        "è 日本 🐈",
        "a\\b",
        "a b",
        "a&b=c",
        "ann@example.org",
        "[::1]:80",
        "//evil/ws/x",
    ];
    for (n, user) in users.into_iter().enumerate() {
        assert_eq!(answer(&agent, user, "who?").await, "re: who?");
        let it = &cat.connections()[n];
        assert_eq!(it.user, user);
        let path = it.request_line().strip_prefix("GET /base/ws/").unwrap();
        let segment = path.strip_suffix(" HTTP/1.1").unwrap();
        assert!(!segment.contains(['/', '?', '#', ' ', '\\', '.']), "{segment}");
        let length = it.head.lines().count();
        assert_eq!(length, cat.connections()[0].head.lines().count(), "{}", it.head);
    }
}

#[tokio::test]
async fn the_token_is_in_the_query_and_nowhere_else() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { token: TOKEN.to_owned().into(), ..settings(&cat) });
    answer(&agent, "ann", "a").await;
    let it = &cat.connections()[0];
    let line = "GET /ws/ann?token=meow-5ecret%2F%2B%3F%26%3D%23%2541 HTTP/1.1";
    assert_eq!((it.request_line(), it.head.matches("5ecret").count()), (line, 1));
    assert_eq!(it.texts(), [r#"{"text": "a"}"#]);
}

#[tokio::test]
async fn a_request_is_what_the_python_client_sends() {
    let recorded = std::fs::read_to_string(clients().join("py/cheshire_cat_api.json")).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    let cat = Cat::start().await;
    let token = recorded["token"].as_str().unwrap().to_owned();
    let agent = agent_of(&Settings { token: token.into(), ..settings(&cat) });
    let text = |key: &str| recorded[key].as_str().unwrap();
    answer(&agent, text("user"), text("text")).await;
    let it = &cat.connections()[0];
    assert_eq!(it.request_line(), text("request"));
    for name in ["host", "upgrade", "connection", "sec-websocket-version"] {
        let value = it.header(name).unwrap().replace(&cat.address().to_string(), "HOST:PORT");
        let expected = text(name);
        assert!(value.eq_ignore_ascii_case(expected), "{name}: {value}, not {expected}");
    }
    for name in ["sec-websocket-protocol", "sec-websocket-extensions", "authorization", "cookie"] {
        assert_eq!((it.header(name), &recorded[name]), (None, &Value::Null), "{name}");
    }
    let frame = &it.frames[0];
    let head = (u64::from(frame.first), frame.is_masked);
    let expected = (recorded["first"].as_u64().unwrap(), recorded["masked"].as_bool().unwrap());
    assert_eq!(head, expected);
    // The Python client escapes what is not ASCII; that is the same text.
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(it.texts()[0]), json(text("frame")));
}

#[tokio::test]
async fn what_is_ascii_is_sent_as_the_python_client_sends_it_byte_for_byte() {
    let cat = Cat::start().await;
    answer(&agent(&cat), "ann", "a \"b\" \\ \n/").await;
    assert_eq!(cat.connections()[0].texts(), [r#"{"text": "a \"b\" \\ \n/"}"#]);
}

/// Everything that a library logs.
struct Heard(Mutex<Vec<String>>);

impl Log for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn the_token_is_in_no_error_and_in_no_log() {
    static HEARD: OnceLock<Heard> = OnceLock::new();
    log::set_logger(HEARD.get_or_init(|| Heard(Mutex::default()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    log::info!(target: "test", "heard");

    let cat = Cat::start().await;
    let settings = Settings { token: TOKEN.to_owned().into(), ..settings(&cat) };
    let agent = agent_of(&settings);
    let mut failures = Vec::new();
    cat.refuse(403);
    failures.push(failure(&agent, "ann", "a").await);
    cat.refuse(None);
    cat.next([Step::Cut]);
    failures.push(failure(&agent, "ann", "b").await);
    cat.next([Step::frame(&format!(r#"{{"type":"{TOKEN}" {TOKEN}"#))]);
    failures.push(failure(&agent, "ann", "c").await);
    cat.next([Step::Hold(Gate::new())]);
    cat.die().await;
    failures.push(failure(&agent, "ann", "d").await);
    let secure = Settings { url: settings.url.replace("ws:", "wss:"), ..settings.clone() };
    failures.push(failure(&agent_of(&secure), "ann", "e").await);

    let codes: Vec<_> = failures.iter().map(|failure| failure.code).collect();
    let expected =
        [Code::Refused, Code::BrokenOff, Code::BadAnswer, Code::Unreachable, Code::Unreachable];
    assert_eq!(codes, expected);
    let heard = HEARD.get().map(|heard| heard.0.lock().unwrap().clone()).unwrap_or_default();
    assert!(heard.iter().any(|line| line == "test heard"), "the log is heard");
    let shown = failures.iter().map(|failure| {
        let source = failure.source.as_ref().map(ToString::to_string);
        format!("{failure} {failure:?} {source:?}")
    });
    for line in shown.chain(heard).chain([format!("{settings:?}")]) {
        assert!(!line.contains("5ecret"), "{line}");
    }
}
