//! Reading and looking at topics and sessions over HTTP.
use e2e::{Client, Gateway, Sse, eventually, http};
use serde_json::{Value, json};

use crate::publish_http::published;

async fn get(gateway: &Gateway, path: &str) -> Value {
    let answer = gateway.get(path).await;
    let expected = (200, Some("application/json"));
    assert_eq!((answer.status, answer.header("content-type")), expected, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn history_gives_the_newest_or_those_after_a_position() {
    let gateway = Gateway::start(&[("topics.chan.events", "5")]).await;
    let mut positions = Vec::new();
    for n in 0..7 {
        positions.push(published(&gateway, &json!({"channel": "c", "payload": n})).await);
    }
    let path = "/api/v1/topics/c/history";
    let told = async |query: String| {
        let it = get(&gateway, &format!("{path}{query}")).await;
        assert_eq!((&it["topic"], &it["position"]), (&json!("chan:c"), &json!(positions[6])));
        let records = it["records"].as_array().unwrap().iter();
        (it["gap"].as_bool().unwrap(), records.map(|it| it["payload"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(told(String::new()).await, (false, [2, 3, 4, 5, 6].map(Value::from).into()));
    assert_eq!(told("?limit=2".into()).await, (false, [5, 6].map(Value::from).into()));
    let since = format!("?since={}", positions[3]);
    assert_eq!(told(since).await, (false, [4, 5, 6].map(Value::from).into()));
    let since = format!("?since={}&limit=1", positions[0]);
    assert_eq!(told(since).await, (true, [2].map(Value::from).into()));
    let none = json!({"topic": "chan:d", "position": null, "gap": false, "records": []});
    assert_eq!(get(&gateway, "/api/v1/topics/d/history").await, none);
}

#[tokio::test]
async fn presence_names_everyone_who_follows_over_any_protocol() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("room:1").await;
    let mut sse = Sse::open(&gateway, "topic=room:1", None).await;
    sse.opened().await;
    let there = get(&gateway, "/api/v1/topics/room:1/presence").await;
    let sessions = get(&gateway, "/api/v1/sessions").await;
    let mut present: Vec<_> = there["members"].as_array().unwrap().iter().collect();
    present.sort_by_key(|it| it["session"].as_str());
    let listed = sessions["sessions"].as_array().unwrap().iter();
    let listed: Vec<_> = listed.map(|it| json!({"session": it["id"]})).collect();
    assert_eq!((present, &there["count"]), (listed.iter().collect(), &json!(2)));
    drop(sse);
    eventually("one to leave", async || {
        let there = get(&gateway, "/api/v1/topics/room%3A1/presence").await;
        (there["count"] == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn topics_are_listed_in_pages() {
    let gateway = Gateway::start(&[]).await;
    let mut expected: Vec<_> = (0..25).map(|n| format!("chan:t {n}")).collect();
    for topic in &expected {
        published(&gateway, &json!({"topic": topic, "payload": 1})).await;
    }
    expected.sort();
    let (mut listed, mut path) = (Vec::new(), "/api/v1/topics?limit=10".to_owned());
    loop {
        let page = get(&gateway, &path).await;
        let names = page["topics"].as_array().unwrap().iter();
        listed.extend(names.map(|it| it["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/topics?limit=10&after={}", next.replace(' ', "+"));
    }
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_topic_is_listed_with_what_it_holds() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("c").await;
    let position = published(&gateway, &json!({"channel": "c", "payload": 1})).await;
    let mut page = get(&gateway, "/api/v1/topics").await;
    assert!(page["topics"][0]["bytes"].take().as_u64().is_some_and(|bytes| bytes > 1), "{page}");
    let topic =
        json!({"name": "chan:c", "position": position, "readers": 1, "records": 1, "bytes": null});
    assert_eq!(page, json!({"topics": [topic]}));
}

#[tokio::test]
async fn sessions_are_listed_in_pages_and_can_be_ended() {
    let gateway = Gateway::start(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&gateway).await);
    }
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    sse.opened().await;
    let page = get(&gateway, "/api/v1/sessions?limit=3").await;
    let next = page["next"].as_str().unwrap();
    let rest = get(&gateway, &format!("/api/v1/sessions?limit=3&after={next}")).await;
    let all = [&page, &rest].map(|it| it["sessions"].as_array().unwrap().clone()).concat();
    let protocols: Vec<_> = all.iter().map(|it| it["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["broker", "broker", "broker", "sse"]);
    assert!(all.iter().all(|it| it["peer"] == "127.0.0.1" && it["opened"].is_u64()), "{all:?}");
    assert_eq!(rest["next"], Value::Null);
    let end = async |at: usize| {
        let path = format!("/api/v1/sessions/{}", all[at]["id"].as_str().unwrap());
        http::request(gateway.address(), "DELETE", &path, &[]).await.unwrap()
    };
    assert_eq!((end(1).await.status, end(3).await.status), (204, 204));
    assert_eq!(clients[1].closed().await.0, 3503);
    assert_eq!(sse.data("end").await["code"], 3503);
    eventually("it to be gone", async || (end(1).await.status == 404).then_some(())).await;
    assert_eq!(end(3).await.problem().2, "/problems/no-session");
    clients[0].until_pong().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let cases = [
        ("GET", "/api/v1/topics?limit=0", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics?limit=1001", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics?after=a&after=b", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics?after=%C0", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics/a%0D%0Ab/history", 400, "/problems/bad-topic"),
        ("GET", "/api/v1/topics/room:/history", 400, "/problems/bad-topic"),
        ("GET", "/api/v1/topics/%FF/history", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics/a/history?limit=x", 400, "/problems/bad-parameter"),
        ("GET", "/api/v1/topics/a/history?since=1-1%0D", 400, "/problems/bad-position"),
        ("GET", "/api/v1/topics/a%00/presence", 400, "/problems/bad-topic"),
        ("GET", "/api/v1/sessions?after=1", 400, "/problems/bad-session"),
        ("GET", "/api/v1/nothing", 404, "/problems/not-found"),
        ("DELETE", "/api/v1/sessions/1", 400, "/problems/bad-session"),
        ("DELETE", "/api/v1/sessions", 405, "/problems/method"),
        ("GET", "/api/v1/sessions/1", 405, "/problems/method"),
        ("GET", "/api/v1/publish", 405, "/problems/method"),
        ("PUT", "/api/v1/topics/a/history", 405, "/problems/method"),
        ("POST", "/healthz", 405, "/problems/method"),
    ];
    for (method, path, status, kind) in cases {
        let answer = http::request(gateway.address(), method, path, &[]).await.unwrap();
        let expected = (status, "application/problem+json".to_owned(), kind.to_owned());
        assert_eq!(answer.problem(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_doors_are_described_and_everything_described_is_there() {
    let gateway = Gateway::start(&[]).await;
    let described = get(&gateway, "/openapi.json").await;
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1."), "{described}");
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().cloned().collect();
    let tagged = |tags: &[&str]| -> Vec<_> {
        let has = |it: &Value| tags.iter().any(|tag| it["tags"][0] == *tag);
        let is_tagged =
            |path: &&String| described["paths"][path].as_object().unwrap().values().any(has);
        paths.iter().filter(is_tagged).collect()
    };
    let expected = [
        "/",
        "/api/v1/publish",
        "/api/v1/sessions",
        "/api/v1/sessions/{id}",
        "/api/v1/topics",
        "/api/v1/topics/{topic}/history",
        "/api/v1/topics/{topic}/presence",
        "/api/v1/topics/{topic}/turn",
        "/api/v1/topics/{topic}/turn/interrupt",
        "/api/v1/topics/{topic}/turn/steer",
        "/api/v1/turns",
        "/api/v1/turns/{id}",
        "/api/v1/turns/{id}/events",
        "/api/v1/turns/{id}/interrupt",
        "/api/v1/turns/{id}/steer",
        "/events",
        "/healthz",
        "/metrics",
        "/readyz",
        "/send",
    ];
    assert_eq!(tagged(&["topics", "operators", "turns"]), expected);
    assert_eq!(tagged(&["rooms"]).len(), 11);
    assert_eq!(tagged(&["chats", "bot", "work", "tables"]).len(), 51);
    let statuses = |path: &str, method: &str| -> Vec<_> {
        let responses = described["paths"][path][method]["responses"].as_object();
        responses.expect("what it answers").keys().map(|it| it.parse::<u16>().unwrap()).collect()
    };
    let asking = [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 502, 503, 504];
    assert_eq!(statuses("/send", "post"), asking);
    let asking = [202, 400, 401, 403, 404, 408, 409, 413, 415, 429, 503];
    assert_eq!(statuses("/api/v1/turns", "post"), asking);
    assert_eq!(statuses("/healthz", "get"), [200]);
    for path in paths {
        let answer = gateway.get(&path.replace(['{', '}'], "")).await;
        let unknown = answer.status == 404 && answer.body.contains("/problems/not-found");
        assert!(!unknown, "{path}");
    }
}

#[tokio::test]
async fn no_protocol_takes_the_path_of_a_door() {
    for path in ["/events", "/openapi.json", "/api/v1/publish", "/metrics", "/send"] {
        let end = Gateway::run(&["check-config"], &[("broker.path", path)]).await;
        assert_eq!(end.code, Some(64), "{path}: {end:?}");
        assert!(end.stderr[0].contains("broker.path: expected a path other than"), "{end:?}");
    }
}
