//! Turns as events.
use e2e::{
    Gateway, Sse,
    fake::cat::{Cat, Gate, Step},
    http,
    relay::{gateway, post, send, stream},
    sse::Event,
};
use serde_json::json;

async fn watch(gateway: &Gateway, turn: &str, last_id: Option<&str>) -> Sse {
    let headers: Vec<_> = last_id.iter().map(|id| ("Last-Event-ID", *id)).collect();
    Sse::request(gateway, "GET", &format!("/api/v1/turns/{turn}/events"), &headers, "").await
}

async fn all(mut events: Sse) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|it| it.kind.as_str()).collect()
}

#[tokio::test]
async fn a_reply_comes_as_events_and_again_from_any_of_them() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let notice = Step::Notice(json!("thinking"));
    cat.next([notice, Step::token("Grüß "), Step::token("Gott"), Step::reply("Grüß Gott")]);
    let events = stream(&gateway, "7", "?").await;
    let turn = events.head.header("quadrille-turn").expect("the turn's id").to_owned();
    let events = all(events).await;
    let names = kinds(&events);
    assert_eq!((names[0], names[1], *names.last().unwrap()), ("start", "status", "end"));
    let tokens = events.iter().filter(|it| it.kind == "token").map(Event::json);
    let text: String = tokens.map(|it| it["text"].as_str().unwrap().to_owned()).collect();
    let end = events.last().unwrap().json();
    assert_eq!((text.as_str(), &end["text"]), ("Grüß Gott", &json!("Grüß Gott")));
    assert_eq!(events[0].json()["question"], "?");
    assert!(events.iter().all(|it| it.json()["turn"] == *turn));
    // From the beginning, and after each event: the same events, at the same positions.
    assert_eq!(all(watch(&gateway, &turn, None).await).await, events);
    for (n, event) in events.iter().enumerate().take(events.len() - 1) {
        assert_eq!(all(watch(&gateway, &turn, Some(&event.id)).await).await, events[n + 1..]);
    }
    // After the last one there is nothing to come back for.
    let path = format!("/api/v1/turns/{turn}/events");
    let last = [("Last-Event-ID", events.last().unwrap().id.as_str())];
    let answer = http::get(gateway.address(), &path, &last).await.expect("an answer");
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn other_turns_of_the_topic_are_not_shown() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    send(&gateway, "7", "before").await;
    let gate = Gate::new();
    cat.on("mine", [Step::Hold(gate.clone()), Step::reply("yours")]);
    let mut events = stream(&gateway, "7", "mine").await;
    let turn = events.data("start").await["turn"].clone();
    let body = json!({"user_id": "7", "message": "after"});
    post(&gateway, "/api/v1/turns", &[], &body).await;
    gate.open();
    let rest = all(events).await;
    assert_eq!(kinds(&rest), ["end"]);
    assert_eq!(rest[0].json(), json!({"turn": turn, "text": "yours"}));
}

#[tokio::test]
async fn a_failure_and_a_cancellation_are_last_events_too() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    cat.next([Step::token("a"), Step::Cut]);
    let events = all(stream(&gateway, "7", "?").await).await;
    assert_eq!(kinds(&events), ["start", "token", "error"]);
    let told = events[2].json();
    assert_eq!(
        (&told["code"], &told["title"]),
        (&json!("broken_off"), &json!("the agent broke off"))
    );
    cat.next([Step::token("so far"), Step::Hold(Gate::new())]);
    let mut events = stream(&gateway, "7", "?").await;
    let turn = events.data("start").await["turn"].as_str().unwrap().to_owned();
    events.data("token").await;
    let cancelled = e2e::relay::cancel(&gateway, &turn).await.json();
    assert_eq!(events.data("cancelled").await["text"], cancelled["response"]);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn who_comes_when_the_log_has_forgotten_is_told_so_and_gets_the_end() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("topics.user.events", "4")]).await;
    let answer = send(&gateway, "7", "first").await;
    let turn = answer.header("quadrille-turn").unwrap().to_owned();
    for _ in 0..3 {
        send(&gateway, "7", "more").await;
    }
    let events = all(watch(&gateway, &turn, None).await).await;
    assert_eq!(kinds(&events), ["gap", "end"]);
    assert_eq!(events[1].json()["text"], "re: first");
}

#[tokio::test]
async fn a_last_record_that_a_merging_log_has_lost_is_told_all_the_same() {
    let cat = Cat::start().await;
    let merging = [("topics.user.events", "4"), ("topics.user.on_slow", "coalesce")];
    let gateway = gateway(&cat, &merging).await;
    let answer = send(&gateway, "7", "first").await;
    let turn = answer.header("quadrille-turn").unwrap().to_owned();
    for _ in 0..5 {
        send(&gateway, "7", "more").await;
    }
    let events = all(watch(&gateway, &turn, None).await).await;
    assert_eq!(kinds(&events), ["gap", "end"]);
    assert_eq!(events[1].json()["text"], "re: first");
}

#[tokio::test]
async fn who_was_told_the_end_from_memory_has_nothing_to_come_back_for() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("limits.topics", "1")]).await;
    let answer = send(&gateway, "7", "first").await;
    let turn = answer.header("quadrille-turn").unwrap().to_owned();
    // There is room for one log: that of 7 is gone, and starts over for who watches.
    send(&gateway, "8", "more").await;
    let events = all(watch(&gateway, &turn, None).await).await;
    assert_eq!(kinds(&events), ["gap", "end"]);
    let path = format!("/api/v1/turns/{turn}/events");
    let last = [("Last-Event-ID", events[0].id.as_str())];
    let answer = http::get(gateway.address(), &path, &last).await.expect("an answer");
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn a_drain_closes_a_stream_with_its_reason() {
    let cat = Cat::start().await;
    let mut gateway = gateway(&cat, &[("server.grace", "1s")]).await;
    cat.next([Step::token("a"), Step::Hold(Gate::new())]);
    let mut events = stream(&gateway, "7", "?").await;
    events.data("start").await;
    events.data("token").await;
    gateway.signal("TERM").await;
    let close = events.next().await.expect("a last event");
    // Whichever comes first: the end of the stream, or that of its turn.
    let told = (close.kind.as_str(), close.json());
    let is_close = told.0 == "close" && told.1["code"] == 3001;
    let is_error = told.0 == "error" && told.1["code"] == "interrupted";
    assert!(is_close || is_error, "{close:?}");
    assert_eq!((events.next().await, gateway.wait().await.code), (None, Some(0)));
}

#[tokio::test]
async fn a_connection_is_closed_with_the_stream_that_it_carried() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let events = stream(&gateway, "7", "?").await;
    assert_eq!(events.head.header("connection"), Some("close"));
    all(events).await;
    e2e::eventually("no connection", async || {
        // The one that asks is one.
        let open = gateway.metrics().await.sum("quadrille_http_connections", &[]);
        (open <= 1).then_some(())
    })
    .await;
}
