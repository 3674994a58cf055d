//! A reply with more than text, as each protocol shows it.
use e2e::{
    Gateway,
    database::Database,
    fake::{corpus::recordings, upstream::Upstream},
    http,
    relay::{send, stream, turn},
    sse::Event,
};
use serde_json::{Value, json};

/// A gateway whose agent gives the recorded answer `rich`.
async fn gateway() -> (Gateway, Upstream) {
    let upstream = upstream().await;
    (start(&upstream, &[]).await, upstream)
}

async fn upstream() -> Upstream {
    let recording = recordings("agui").into_iter().find(|recording| recording.name == "rich");
    Upstream::start(recording.expect("a recording").script()).await
}

async fn start(upstream: &Upstream, more: &[(&str, &str)]) -> Gateway {
    let url = upstream.url("/");
    let settings =
        [("agents.default", "rich"), ("agents.rich.kind", "agui"), ("agents.rich.url", &*url)];
    Gateway::start(&[&settings, more].concat()).await
}

#[tokio::test]
async fn usage_and_reason_are_kept_across_a_restart() {
    let (database, upstream) = (Database::new().await, upstream().await);
    let mut gateway = start(&upstream, &[database.setting()]).await;
    let answer = send(&gateway, "7", "Rome?").await;
    let id = answer.header("quadrille-turn").expect("an id");
    let before = turn(&gateway, id).await;
    gateway.signal("KILL").await;
    gateway.wait().await;
    let gateway = start(&upstream, &[database.setting()]).await;
    let after = turn(&gateway, id).await;
    assert_eq!(after["usage"], json!({"input": 32, "output": 17}));
    for member in ["usage", "reason", "response", "status"] {
        assert_eq!(after[member], before[member], "{member}");
    }
}

#[tokio::test]
async fn a_stream_has_every_part_and_those_who_know_no_parts_get_what_they_always_got() {
    let (gateway, _upstream) = gateway().await;
    let mut events = stream(&gateway, "7", "Rome?").await;
    let turn = events.head.header("quadrille-turn").expect("the turn's id").to_owned();
    let mut all = Vec::<Event>::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    let told = all.iter().map(|event| {
        let data = event.json();
        let members = ["text", "state", "input", "output", "reason", "usage"];
        let members = members.map(|name| data[name].clone());
        let told: Value = members.into_iter().filter(|value| !value.is_null()).collect();
        format!("{} {told}", event.kind)
    });
    let expected = [
        r"start []",
        r#"reasoning ["Which city?"]"#,
        r#"token ["Let me look."]"#,
        r#"tool ["{\"city\":\"Rome\"}","input",{"city":"Rome"}]"#,
        r#"tool ["","output",{"celsius":21.5}]"#,
        r#"token ["\n\nRome is warm."]"#,
        r#"end ["Let me look.\n\nRome is warm.","success",{"input":32,"output":17}]"#,
    ];
    // Parts that come at once are merged; reasoning may be split by time.
    let kinds = ["reasoning", "token"];
    let told: Vec<_> = told.collect();
    let joined = |kind: &str| {
        let texts = all.iter().filter(|event| event.kind == kind);
        texts.map(|event| event.json()["text"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(kinds.map(joined), ["Which city?", "Let me look.\n\nRome is warm."]);
    let others = |all: &[String]| {
        let all = all.iter().filter(|part| !kinds.iter().any(|kind| part.starts_with(kind)));
        all.cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&told), others(&expected.map(str::to_owned)));
    // A number keeps its spelling on the way.
    assert!(all.iter().any(|event| event.data.contains("21.50")), "{all:?}");
    let path = format!("/api/v1/turns/{turn}");
    let status = http::get(gateway.address(), &path, &[]).await.expect("an answer").json();
    assert_eq!(
        (&status["reason"], &status["usage"]),
        (&json!("success"), &json!({"input": 32, "output": 17}))
    );
    let headers = [("Content-Type", "application/json")];
    let body = json!({"user_id": "7", "message": "Rome?"}).to_string();
    let whole = http::send(gateway.address(), "POST", "/send", &headers, body.as_bytes()).await;
    let text = r"Let me look.\n\nRome is warm.";
    assert_eq!(whole.expect("an answer").body, format!(r#"{{"response":"{text}"}}"#));
}
