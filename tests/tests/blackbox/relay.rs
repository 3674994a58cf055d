//! Questions over HTTP and their replies.
use e2e::{
    Gateway,
    fake::cat::{Cat, Gate, Step},
    relay::{cancel, gateway, post, send, turn},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn a_question_is_answered_as_the_flask_app_did() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let answer = send(&gateway, "user1", "hello say me hello").await;
    assert_eq!(answer.body, r#"{"response":"re: hello say me hello"}"#);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let turn = turn(&gateway, answer.header("quadrille-turn").expect("the turn's id")).await;
    assert_eq!(turn["position"].as_str(), answer.header("quadrille-position"));
    assert_eq!((&turn["status"], &turn["user"]), (&json!("completed"), &json!("user1")));
    assert_eq!(cat.questions(), ["hello say me hello"]);
}

#[tokio::test]
async fn a_question_has_other_names_an_agent_and_members_that_mean_nothing() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let cases = [
        json!({"user_id": 7, "message": "a"}),
        json!({"user_id": "7", "text": "a", "prompt_settings": {"x": [1]}}),
        json!({"user_id": "7", "message": "a", "agent": "cat", "room": "room:1"}),
        json!({"user_id": "7", "message": "a", "agent": null, "idempotency_key": null}),
    ];
    for question in cases {
        let answer = post(&gateway, "/send", &[], &question).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"response": "re: a"})));
        let turn = turn(&gateway, answer.header("quadrille-turn").unwrap()).await;
        assert_eq!((&turn["topic"], &turn["agent"]), (&json!("user:7"), &json!("cat")));
    }
    let echo = json!({"user_id": "7", "message": "a b", "agent": "echo"});
    assert_eq!(post(&gateway, "/send", &[], &echo).await.json(), json!({"response": "a b"}));
    assert_eq!(cat.calls().len(), 4);
}

#[tokio::test]
async fn fifty_equal_keys_at_once_are_one_call_and_fifty_equal_answers() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let keyed = |message: &str| json!({"user_id": "7", "message": message, "idempotency_key": "k"});
    let once = keyed("once");
    let answers = join_all((0..50).map(|_| post(&gateway, "/send", &[], &once))).await;
    let told = |answer: &e2e::http::Response| {
        let header = |name| answer.header(name).map(str::to_owned);
        let headers = [header("quadrille-turn"), header("quadrille-position")];
        (answer.status, answer.body.clone(), headers)
    };
    assert!(answers.iter().all(|it| told(it) == told(&answers[0])), "{answers:?}");
    assert_eq!((answers[0].status, cat.calls().len()), (200, 1));
    // Later too, by header, and in quotes; but not with another question, and not for others.
    let plain = json!({"user_id": "7", "message": "once"});
    for key in ["k", "\"k\""] {
        let answer = post(&gateway, "/send", &[("Idempotency-Key", key)], &plain).await;
        assert_eq!(told(&answer), told(&answers[0]));
    }
    let answer = post(&gateway, "/send", &[], &keyed("twice")).await;
    assert_eq!((answer.status, answer.problem().2.as_str()), (409, "/problems/key-reused"));
    let other = json!({"user_id": "8", "message": "once", "idempotency_key": "k"});
    assert_ne!(told(&post(&gateway, "/send", &[], &other).await).2, told(&answers[0]).2);
    assert_eq!(cat.calls().len(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_nothing_and_finds_the_reply_with_its_key() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let gate = Gate::new();
    cat.next([Step::Hold(gate.clone()), Step::reply("patience")]);
    let question = json!({"user_id": "7", "message": "?", "idempotency_key": "k"});
    tokio::select! {
        answer = post(&gateway, "/send", &[], &question) => panic!("{answer:?}"),
        () = cat.asked(1) => {}
    }
    gate.open();
    let answer = post(&gateway, "/send", &[], &question).await;
    assert_eq!((answer.json(), cat.calls().len()), (json!({"response": "patience"}), 1));
}

#[tokio::test]
async fn a_turn_is_asked_for_shown_and_cancelled_by_its_id() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    cat.next([Step::token("so "), Step::token("far"), Step::Hold(Gate::new())]);
    let ask = |message: &str| json!({"user_id": "7", "message": message, "topic": "room:1"});
    let first = post(&gateway, "/api/v1/turns", &[], &ask("a")).await;
    let second = post(&gateway, "/api/v1/turns", &[], &ask("b")).await;
    let id = |answer: &e2e::http::Response| answer.json()["turn"].as_str().unwrap().to_owned();
    assert_eq!((first.status, second.status), (202, 202));
    cat.asked(1).await;
    let shown = [turn(&gateway, &id(&first)).await, turn(&gateway, &id(&second)).await];
    let told = shown.each_ref().map(|it| [&it["status"], &it["topic"], &it["position"]]);
    let topic = json!("room:1");
    assert_eq!(told[0], [&json!("running"), &topic, &Value::Null]);
    assert_eq!(told[1], [&json!("waiting"), &topic, &Value::Null]);
    // The one that waits ends at once, and never was a question.
    let waited = cancel(&gateway, &id(&second)).await.json();
    assert_eq!((&waited["status"], &waited["response"]), (&json!("cancelled"), &json!("")));
    e2e::eventually("both tokens", async || {
        let history = gateway.get("/api/v1/topics/room:1/history").await.json();
        history.to_string().contains("far").then_some(())
    })
    .await;
    let running = cancel(&gateway, &id(&first)).await.json();
    assert_eq!((&running["status"], &running["response"]), (&json!("cancelled"), &json!("so far")));
    assert_eq!(cancel(&gateway, &id(&first)).await.json(), running);
    cat.closed(0).await;
    assert_eq!(cat.calls().len(), 1);
}

#[tokio::test]
async fn what_runs_in_a_topic_is_shown_and_cancelled_without_its_id() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let path = "/api/v1/topics/user%3A7/turn";
    let nothing = gateway.get(path).await;
    assert_eq!((nothing.status, nothing.body.as_str()), (204, ""));
    cat.next([Step::Hold(Gate::new())]);
    let ask = |message: &str| json!({"user_id": "7", "message": message});
    let first = post(&gateway, "/api/v1/turns", &[], &ask("a")).await.json();
    let second = post(&gateway, "/api/v1/turns", &[], &ask("b")).await.json();
    cat.asked(1).await;
    let shown = gateway.get(path).await.json();
    assert_eq!((&shown["turn"], &shown["status"]), (&first["turn"], &json!("running")));
    cat.next([Step::Hold(Gate::new())]);
    let ended = delete(&gateway, path).await.json();
    assert_eq!((&ended["turn"], &ended["status"]), (&first["turn"], &json!("cancelled")));
    cat.asked(2).await;
    assert_eq!(gateway.get(path).await.json()["turn"], second["turn"]);
    assert_eq!(delete(&gateway, path).await.json()["turn"], second["turn"]);
    assert_eq!(delete(&gateway, path).await.status, 204);
}

#[tokio::test]
async fn a_question_interrupts_what_runs_once_however_often_it_is_sent() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("agents.max_queued", "0")]).await;
    cat.next([Step::token("so far"), Step::Hold(Gate::new())]);
    let first = json!({"user_id": "7", "message": "first"});
    let first = post(&gateway, "/api/v1/turns", &[], &first).await.json();
    cat.asked(1).await;
    cat.next([Step::Hold(Gate::new())]);
    let path = "/api/v1/topics/user%3A7/turn/interrupt";
    let again = json!({"user_id": "7", "message": "second", "idempotency_key": "k"});
    let second = post(&gateway, path, &[], &again).await;
    assert_eq!((second.status, &second.json()["user"]), (202, &json!("7")));
    cat.closed(0).await;
    cat.asked(2).await;
    let first = turn(&gateway, first["turn"].as_str().unwrap()).await;
    assert_eq!(first["status"], "cancelled");
    let same = post(&gateway, path, &[], &again).await.json();
    assert_eq!((&same["turn"], &same["status"]), (&second.json()["turn"], &json!("running")));
    // By the id of a turn; the steered text is the next question.
    let id = same["turn"].as_str().unwrap().to_owned();
    let steer = json!({"user_id": "7", "text": "shorter"});
    let full = post(&gateway, &format!("/api/v1/turns/{id}/steer"), &[], &steer).await;
    assert_eq!(full.status, 503, "nothing may wait here: {}", full.body);
    let third = post(&gateway, &format!("/api/v1/turns/{id}/interrupt"), &[], &steer).await;
    assert_eq!(third.status, 202);
    let done = |status: &str| turn_has(&gateway, third.json()["turn"].clone(), status.to_owned());
    done("completed").await;
    assert_eq!(cat.questions(), ["first", "second", "shorter"]);
}

/// Waits until a turn has this status.
async fn turn_has(gateway: &Gateway, id: Value, status: String) {
    e2e::eventually("the status", async || {
        let shown = turn(gateway, id.as_str().expect("an id")).await;
        (shown["status"] == status).then_some(())
    })
    .await;
}

async fn delete(gateway: &Gateway, path: &str) -> e2e::http::Response {
    e2e::http::request(gateway.address(), "DELETE", path, &[]).await.expect("the gateway answers")
}

#[tokio::test]
async fn who_waits_for_a_turn_that_is_cancelled_is_told() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    cat.next([Step::Hold(Gate::new())]);
    let key = json!({"user_id": "7", "message": "?", "idempotency_key": "k"});
    let asked = async {
        cat.asked(1).await;
        let id = post(&gateway, "/api/v1/turns", &[], &key).await.json();
        cancel(&gateway, id["turn"].as_str().unwrap()).await
    };
    let (answer, _) = tokio::join!(post(&gateway, "/send", &[], &key), asked);
    assert_eq!((answer.status, answer.problem().2.as_str()), (409, "/problems/turn-cancelled"));
}

#[tokio::test]
async fn an_end_in_time_finishes_what_runs_and_interrupts_what_waits() {
    let cat = Cat::start().await;
    let mut gateway = gateway(&cat, &[]).await;
    let gate = Gate::new();
    cat.next([Step::Hold(gate.clone()), Step::reply("in time")]);
    let ended = async {
        cat.asked(1).await;
        while gateway.metrics().await.sum("quadrille_turns_waiting", &[]) < 1 {}
        gateway.signal("TERM").await;
    };
    let second = async {
        cat.asked(1).await;
        let answer = send(&gateway, "7", "second").await;
        // It has begun to drain.
        gate.open();
        answer
    };
    let (first, second, ()) = tokio::join!(send(&gateway, "7", "first"), second, ended);
    assert_eq!(first.json(), json!({"response": "in time"}));
    assert_eq!((second.status, second.problem().2.as_str()), (503, "/problems/turn-interrupted"));
    assert!(second.header("retry-after").is_some());
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn the_embedded_agent_answers_without_any_configuration() {
    let gateway = Gateway::start(&[]).await;
    let answer = send(&gateway, "7", "hello there").await;
    assert_eq!(answer.json(), json!({"response": "hello there"}));
}
