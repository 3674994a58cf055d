//! One turn at every door at once.
use e2e::{
    Client, Form, Sse,
    fake::cat::{Cat, Gate, Step},
    relay::{gateway, send, stream},
};
use serde_json::{Value, json};

/// The frames of a turn that a channel client gets, up to the last.
async fn frames(client: &mut Client) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let frame = client.next_json().await;
        let payload = &frame["payload"];
        let is_last = payload["final_message"] == true || payload["type"] == "error";
        all.push(frame);
        if is_last {
            return all;
        }
    }
}

/// The positions of frames or events, each once.
fn positions(all: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut positions: Vec<_> = all.into_iter().collect();
    positions.dedup();
    positions
}

#[tokio::test]
async fn one_reply_is_the_same_at_every_door() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let mut events = Sse::open(&gateway, "topic=user:7", None).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe_with(json!({"channel": "user:7", "positions": true})).await;
    cat.next([Step::token("Grüß "), Step::token("Gott"), Step::reply("Grüß Gott")]);
    let answer = send(&gateway, "7", "?").await;
    assert_eq!(answer.json(), json!({"response": "Grüß Gott"}));
    let frames = frames(&mut client).await;
    let mut records = Vec::new();
    while records.last().is_none_or(|(kind, _, _)| kind != "turn.completed") {
        let event = events.next().await.expect("an event");
        let record = event.json();
        records.push((event.kind, event.id, record["payload"].clone()));
    }
    // The same text, at the same positions.
    let last = frames.last().unwrap();
    assert_eq!(last["payload"]["message"], records.last().unwrap().2["text"]);
    let of_frames = frames.iter().map(|it| it["position"].as_str().unwrap().to_owned());
    let of_records = records.iter().map(|(_, id, _)| id.clone());
    let (of_frames, of_records) = (positions(of_frames), positions(of_records));
    assert_eq!(of_frames, of_records);
    assert_eq!(answer.header("quadrille-position"), of_records.last().map(String::as_str));
    let turn = answer.header("quadrille-turn");
    assert!(frames.iter().all(|it| it["payload"]["message_id"].as_str() == turn));
    let told: Vec<_> = frames.iter().map(|it| it["payload"]["status"].as_str().unwrap()).collect();
    assert_eq!((told[0], told[1], *told.last().unwrap()), ("started", "responding", "completed"));
    // Each frame in progress has the text so far.
    let texts = frames.iter().filter(|it| it["payload"]["status"] == "in_progress");
    for text in texts.map(|it| it["payload"]["message"].as_str().unwrap()) {
        assert!("Grüß Gott".starts_with(text), "{text}");
    }
}

#[tokio::test]
async fn cancel_from_the_broker_ends_all_and_closes_the_agent() {
    for form in Form::ALL {
        let cat = Cat::start().await;
        let gateway = gateway(&cat, &[]).await;
        let mut client = Client::connect(&gateway).await;
        client.subscribe("user:7").await;
        cat.next([Step::token("so far"), Step::Hold(Gate::new())]);
        let cancelled = async {
            let mut turn = Value::Null;
            while turn["payload"]["status"] != "in_progress" {
                turn = client.next_json().await;
            }
            let id = turn["payload"]["message_id"].clone();
            // By its id, or as the one that runs; in a flat frame that would be a publication.
            let command = match form {
                Form::Action => json!({"channel": "user:7"}),
                _ => json!({"channel": "user:7", "turn": id}),
            };
            let answer = client.ask(form, "cancel", command).await;
            assert!(answer.to_string().contains("cancelling"), "{answer}");
            cat.closed(0).await;
            frames(&mut client).await.pop().unwrap()
        };
        let streamed = async {
            let mut events = stream(&gateway, "7", "?").await;
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event);
            }
            last.expect("a last event")
        };
        let (last, event) = tokio::join!(cancelled, streamed);
        assert_eq!(last["payload"]["status"], "cancelled");
        assert_eq!((event.kind.as_str(), &event.json()["text"]), ("cancelled", &json!("so far")));
        assert_eq!(last["payload"]["message"], "so far");
    }
}

#[tokio::test]
async fn a_turn_that_is_not_there_cannot_be_cancelled() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let mut client = Client::connect(&gateway).await;
    cat.next([Step::token("a"), Step::Hold(Gate::new())]);
    let mut events = stream(&gateway, "7", "?").await;
    let turn = events.data("start").await["turn"].clone();
    let cases = [
        json!({"channel": "user:7", "turn": "01a1fbc1-845d-769d-b40f-274a851de780"}),
        json!({"channel": "user:7", "turn": "x"}),
        // Nothing runs there.
        json!({"channel": "user:8"}),
        // It is in another channel.
        json!({"channel": "user:8", "turn": turn}),
    ];
    for fields in cases {
        let answer = client.ask(Form::Envelope, "cancel", fields.clone()).await;
        assert_eq!(answer["payload"]["code"], "unknown_turn", "{fields}");
    }
    assert_eq!(e2e::relay::turn(&gateway, turn.as_str().unwrap()).await["status"], "running");
}

#[tokio::test]
async fn history_of_a_channel_has_the_newest_text_of_each_turn() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    send(&gateway, "7", "one two three").await;
    send(&gateway, "7", "four").await;
    let mut client = Client::connect(&gateway).await;
    let answer = client.ask(Form::Envelope, "history", json!({"channel": "user:7"})).await;
    let records = answer["payload"]["records"].as_array().unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|it| {
            [&it["payload"]["status"], &it["payload"]["message"]].map(|it| it.as_str().unwrap())
        })
        .filter(|[status, _]| *status != "started")
        .collect();
    assert_eq!(told, [["completed", "re: one two three"], ["completed", "re: four"]]);
}
