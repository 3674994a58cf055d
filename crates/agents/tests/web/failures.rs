//! Failing upstreams, and questions that are given up, in every dialect over HTTP.
use std::time::Duration;

use e2e::{
    fake::{
        agui, django,
        model::{delta, stream, whole},
        upstream::{Script, Step, Upstream},
    },
    patience::within,
};
use futures_util::StreamExt;
use quadrille_agents::{Code, Part};
use serde_json::json;
use tokio::net::TcpListener;

use crate::ask::{Heard, agent, ask, question};

const TOKEN: &str = "sk-not-for-the-log";

/// Every kind over HTTP, at this address.
fn tables(url: &str) -> [String; 3] {
    let table =
        |kind, more| format!("kind = \"{kind}\"\nurl = \"{url}\"\ntoken = \"{TOKEN}\"\n{more}");
    [table("openai", "model = \"m\""), table("agui", ""), table("http", "")]
}

/// The outcome of `script` for each kind.
async fn heard(script: Script) -> Vec<Heard> {
    let upstream = Upstream::start(script).await;
    let mut heard = Vec::new();
    for table in tables(&upstream.url("/")) {
        heard.push(ask(&*agent(&table), "Hi").await);
    }
    assert_eq!(upstream.asked().len(), 3, "nobody asks twice");
    heard
}

async fn expect(what: &str, script: Script, code: Code) {
    for heard in heard(script).await {
        assert_eq!((heard.code(), heard.parts.len()), (code, 0), "{what}: {heard:?}");
        let failure = heard.failure.expect("a failure");
        let shown = format!("{failure} {failure:?} {failure:#?} {:?}", failure.source);
        assert!(!shown.contains(TOKEN), "{what}: {shown}");
    }
}

#[tokio::test]
async fn each_status_has_its_code() {
    let codes = [
        (400, Code::Upstream),
        (401, Code::Refused),
        (403, Code::Refused),
        (404, Code::Refused),
        (405, Code::Refused),
        (408, Code::Upstream),
        (422, Code::Upstream),
        (429, Code::Upstream),
        (500, Code::Upstream),
        (502, Code::Upstream),
        (503, Code::Upstream),
        (304, Code::Refused),
    ];
    for (status, code) in codes {
        let answer = Script::whole(&format!("{status} Meow"), "", "");
        expect(&status.to_string(), answer, code).await;
    }
}

#[tokio::test]
async fn redirects_are_refusals() {
    let elsewhere = Upstream::start(Script::sse(&stream(&["Meow"]))).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", elsewhere.url("/v1"));
        let redirect = Script::whole(&format!("{status} Go"), &location, "");
        expect(&status.to_string(), redirect, Code::Refused).await;
    }
    assert_eq!((elsewhere.connections(), elsewhere.asked().len()), (0, 0));
}

#[tokio::test]
async fn what_is_no_answer_is_a_bad_one() {
    let html = Script::whole("200 OK", "Content-Type: text/html\r\n", "<h1>Log in</h1>");
    expect("a page", html, Code::BadAnswer).await;
    expect("nothing", Script::whole("200 OK", "", ""), Code::BadAnswer).await;
    let not_json = Script::whole("200 OK", "Content-Type: application/json\r\n", "{\"a\":");
    expect("half of it", not_json, Code::BadAnswer).await;
    let ssh = Script::default().then(Step::Raw(b"SSH-2.0-Meow\r\n\r\n".to_vec()));
    expect("another protocol", ssh, Code::BadAnswer).await;
}

#[tokio::test]
async fn an_answer_is_what_it_looks_like_whatever_its_type_says() {
    let streams = [stream(&["Meow"]), agui::run(&["Meow"]), django::stream(&["Meow"])];
    let wholes =
        [whole(&json!({"content": "Meow"})), agui::cat_result("Meow"), django::whole("Meow")];
    let types = [
        "text/event-stream",
        "application/json",
        "text/plain; charset=utf-8",
        "application/octet-stream",
        "",
    ];
    for (n, (stream, whole)) in streams.into_iter().zip(wholes).enumerate() {
        for media in types {
            let header =
                if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
            for body in [
                stream.clone(),
                format!("\n\n: ping\n\n{stream}"),
                format!("\u{feff}{stream}"),
                whole.to_string(),
                format!("\n {whole}"),
            ] {
                let upstream = Upstream::start(Script::whole("200 OK", &header, &body)).await;
                let table = &tables(&upstream.url("/"))[n];
                assert_eq!(ask(&*agent(table), "Hi").await.reply(), "Meow", "{media}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_leaves_has_broken_off() {
    expect("before an answer", Script::default().then(Step::Cut), Code::BrokenOff).await;
    expect("by a reset", Script::default().then(Step::Reset), Code::BrokenOff).await;
    expect("after the head", Script::stream().then(Step::Cut), Code::BrokenOff).await;
    let short = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}";
    let short = Script::default().then(Step::Raw(short.into())).then(Step::Cut);
    expect("in an answer", short, Code::BrokenOff).await;
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", free.local_addr().expect("an address"));
    drop(free);
    for table in tables(&url) {
        assert_eq!(ask(&*agent(&table), "Hi").await.code(), Code::Unreachable);
    }
}

#[tokio::test]
async fn who_does_not_answer_a_connection_is_not_waited_for() {
    // TLS is a part of the connection, and this listener never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    for table in tables(&url) {
        let table = table + "\nconnect_timeout = \"20ms\"";
        assert_eq!(ask(&*agent(&table), "Hi").await.code(), Code::ConnectTimeout);
    }
}

#[tokio::test]
async fn an_upstream_may_take_longer_than_its_connection() {
    let late = Script::default().then(Step::Wait(Duration::from_millis(60)));
    let late = late.then(Step::Raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec(),
    ));
    let late = late
        .chunk(&delta(&json!({"content": "Me"})))
        .then(Step::Wait(Duration::from_millis(60)))
        .chunk(&stream(&["ow"]))
        .then(Step::End);
    let upstream = Upstream::start(late).await;
    let [openai, ..] = tables(&upstream.url("/v1"));
    let heard = ask(&*agent(&(openai + "\nconnect_timeout = \"20ms\"")), "Hi").await;
    assert_eq!(heard.reply(), "Meow");
}

#[tokio::test]
async fn what_the_upstream_says_of_an_error_is_for_the_log_alone() {
    let long = format!("bad key {TOKEN}\r\n{}", "meow ".repeat(1000));
    for heard in heard(Script::whole("401 No", "", &long)).await {
        let failure = heard.failure.as_ref().expect("a failure");
        assert_eq!(failure.to_string(), "the agent does not accept the gateway");
        let cause = heard.cause();
        assert!(
            cause.starts_with("401 Unauthorized: bad key (set, not shown)  meow meow"),
            "{cause}"
        );
        assert_eq!(cause.chars().count(), 200);
    }
}

#[tokio::test]
async fn a_token_is_masked_wherever_it_begins() {
    for before in 150..200 {
        let body = format!("{}{TOKEN}", "x".repeat(before));
        let upstream = Upstream::start(Script::whole("500 No", "", &body)).await;
        let [openai, ..] = tables(&upstream.url("/"));
        let heard = ask(&*agent(&openai), "Hi").await;
        assert!(!heard.cause().contains("sk-"), "{heard:?}");
    }
    let errors = [
        format!("data: {{\"error\": \"{TOKEN}\", \"type\": \"RUN_ERROR\"}}\n\n"),
        format!("event: error\ndata: {TOKEN}\n\n"),
        format!("data: \"{TOKEN}\"\n\n"),
    ];
    for error in errors {
        for heard in heard(Script::sse(&error)).await {
            let failure = heard.failure.expect("a failure");
            assert!(!format!("{failure} {failure:?}").contains(TOKEN), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn a_key_in_the_query_of_the_address_is_masked() {
    let said = ["no route /x?v=1&key=s%2Dk-in-query", "the key s-k-in-query is not valid"];
    for said in said {
        for before in [0, 150, 180, 190] {
            let body = format!("{}{said}", "x".repeat(before));
            let upstream = Upstream::start(Script::whole("404 No", "", &body)).await;
            let [_, agui, _] = tables(&upstream.url("/x?v=1&key=s%2Dk-in-query"));
            let heard = ask(&*agent(&agui), "Hi").await;
            assert!(
                !heard.cause().contains("k-in") && !heard.cause().contains("s%2D"),
                "{heard:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_that_never_ends_is_not_waited_for() {
    let head = "HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nbecause";
    let script = Script::default().then(Step::Raw(head.into())).then(Step::Silence);
    for heard in heard(script).await {
        assert_eq!((heard.code(), &*heard.cause()), (Code::Refused, "403 Forbidden: because"));
    }
    let head = "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n";
    let script = Script::default().then(Step::Raw(head.into()));
    expect("endless", script.then(Step::Endless(vec![b'x'; 1000])), Code::Upstream).await;
}

#[tokio::test]
async fn nothing_happens_before_a_reply_is_read() {
    let upstream = Upstream::start(Script::sse(&stream(&["Meow"]))).await;
    for table in tables(&upstream.url("/")) {
        drop(agent(&table).ask(question("Hi")));
    }
    let [openai, ..] = tables(&upstream.url("/"));
    assert_eq!(ask(&*agent(&openai), "Hi").await.reply(), "Meow");
    assert_eq!((upstream.connections(), upstream.asked().len()), (1, 1));
}

#[tokio::test]
async fn leaving_a_reply_closes_the_connection() {
    let scripts = [
        Script::default().then(Step::Silence),
        Script::stream().then(Step::Silence),
        Script::stream().then(Step::Endless(b": keep-alive\n\n".to_vec())),
    ];
    for script in scripts {
        let upstream = Upstream::start(script).await;
        for (n, table) in tables(&upstream.url("/")).into_iter().enumerate() {
            let mut reply = agent(&table).ask(question("Hi"));
            tokio::select! {
                part = reply.next() => panic!("{part:?}"),
                () = asked(&upstream, n + 1) => drop(reply),
            }
            upstream.left(n + 1).await;
        }
    }
}

async fn asked(upstream: &Upstream, count: usize) {
    let asked = async || (upstream.asked().len() == count).then_some(());
    e2e::eventually("a question", asked).await;
}

#[tokio::test]
async fn leaving_in_the_middle_of_a_reply_closes_the_connection() {
    let begun = Script::stream().chunk(&delta(&json!({"content": "Me"}))).then(Step::Silence);
    let upstream = Upstream::start(begun).await;
    let [openai, ..] = tables(&upstream.url("/v1"));
    let agent = agent(&openai);
    let mut reply = agent.ask(question("Hi"));
    let part = within("a part", reply.next()).await.expect("a part");
    assert_eq!(part.expect("no failure"), Part::Text("Me".to_owned()));
    drop(reply);
    upstream.left(1).await;
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = Upstream::start(Script::json(&whole(&json!({"content": "Meow"})))).await;
    let [openai, ..] = tables(&upstream.url("/v1"));
    let agent = agent(&openai);
    for _ in 0..5 {
        assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow");
    }
    assert_eq!((upstream.asked().len(), upstream.connections()), (5, 1));
}
