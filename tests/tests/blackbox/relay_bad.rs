//! Questions that cannot be asked, and agents that do not answer.
use e2e::{
    fake::cat::{Cat, Gate, Step},
    http,
    relay::{gateway, post, send},
};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_no_question_is_refused_with_its_reason() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let long = "x".repeat(10 << 10);
    let cases: Vec<(Value, &str)> = vec![
        (json!([]), "bad-body"),
        (json!(7), "bad-body"),
        (json!({"user_id": "7"}), "bad-message"),
        (json!({"message": "?"}), "bad-user"),
        (json!({}), "bad-user"),
        (json!({"user_id": "7", "message": ""}), "bad-message"),
        (json!({"user_id": "7", "message": " \n"}), "bad-message"),
        (json!({"user_id": "7", "message": "a", "text": "b"}), "bad-message"),
        (json!({"user_id": "7", "message": 7}), "bad-body"),
        (json!({"user_id": "7", "message": ["?"]}), "bad-body"),
        (json!({"user_id": ["7"], "message": "?"}), "bad-body"),
        (json!({"user_id": 7.5, "message": "?"}), "bad-body"),
        (json!({"user_id": "", "message": "?"}), "bad-user"),
        (json!({"user_id": "a\r\nb", "message": "?"}), "bad-user"),
        (json!({"user_id": "a\u{0}", "message": "?"}), "bad-user"),
        (json!({"user_id": long, "message": "?"}), "bad-user"),
        (json!({"user_id": "7", "message": "?", "idempotency_key": ""}), "bad-key"),
        (json!({"user_id": "7", "message": "?", "idempotency_key": "a\nb"}), "bad-key"),
        (json!({"user_id": "7", "message": "?", "idempotency_key": "k".repeat(256)}), "bad-key"),
    ];
    for (question, kind) in cases {
        let answer = post(&gateway, "/send", &[], &question).await;
        let expected = (400, "application/problem+json".to_owned(), format!("/problems/{kind}"));
        assert_eq!(answer.problem(), expected, "{question}");
    }
    for agent in ["ghost", "http://evil"] {
        let question = json!({"user_id": "7", "message": "?", "agent": agent});
        let problem = post(&gateway, "/send", &[], &question).await.problem();
        assert_eq!((problem.0, problem.2.as_str()), (404, "/problems/no-agent"));
    }
    assert_eq!(cat.calls().len(), 0);
}

#[tokio::test]
async fn what_is_no_json_or_too_much_is_refused_before_it_is_read() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let body = r#"{"user_id":"7","message":"?"}"#;
    let large = format!(r#"{{"user_id":"7","message":"{}"}}"#, "x".repeat(300 << 10));
    let deep = format!(r#"{{"user_id":"7","message":"?","x":{}}}"#, "[".repeat(1000));
    let json = "application/json";
    let cases = [
        ("text/plain", body, 415, "media-type"),
        ("application/x-www-form-urlencoded", "user_id=7&message=x", 415, "media-type"),
        (json, &large, 413, "body-too-large"),
        (json, "", 400, "bad-body"),
        (json, "{", 400, "bad-body"),
        (json, &deep, 400, "bad-body"),
    ];
    for (media, body, status, kind) in cases {
        let headers = [("Content-Type", media)];
        let at = gateway.address();
        let answer = http::send(at, "POST", "/send", &headers, body.as_bytes()).await;
        let problem = answer.expect("an answer").problem();
        assert_eq!((problem.0, problem.2), (status, format!("/problems/{kind}")), "{media}");
    }
    // Ten megabytes are announced, and refused without being waited for.
    let headers = [("Content-Type", json), ("Content-Length", "10485760")];
    let answer = http::request(gateway.address(), "POST", "/send", &headers).await;
    assert_eq!(answer.expect("an answer").status, 413);
    let answer = http::get(gateway.address(), "/send", &[]).await.expect("an answer");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn ids_of_users_reach_the_agent_as_they_are() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let users = ["a/../b", "..", "?x=1", "#top", "%2e%2e", "Ünï cödé 日本", "a\\b", "a:b", "\"q\""];
    for user in users {
        let answer = send(&gateway, user, "?").await;
        assert_eq!((answer.status, answer.json()), (200, json!({"response": "re: ?"})), "{user}");
    }
    let asked: Vec<_> = cat.calls().into_iter().map(|call| call.user).collect();
    assert_eq!(asked, users);
}

#[tokio::test]
async fn each_way_of_an_agent_not_to_answer_is_told_in_time() {
    let cat = Cat::start().await;
    let quick = [
        ("agents.cat.connect_timeout", "2s"),
        ("agents.cat.first_token_timeout", "300ms"),
        ("agents.cat.token_timeout", "300ms"),
        ("agents.cat.total_timeout", "1s"),
        ("agents.cat.max_reply", "10000"),
    ];
    let gateway = gateway(&cat, &quick).await;
    let hold = || Step::Hold(Gate::new());
    let drip = std::time::Duration::from_millis(100);
    let cases: Vec<(Vec<Step>, u16, &str)> = vec![
        (vec![hold()], 504, "agent-first-token-timeout"),
        (vec![Step::token("a"), hold()], 504, "agent-token-timeout"),
        (vec![Step::Endless("and ".to_owned())], 502, "agent-too-long"),
        (
            vec![Step::token("a"), Step::Drip(r#"{"type":"chat","content":"b"}"#.to_owned(), drip)],
            504,
            "agent-token-timeout",
        ),
        (vec![Step::token("a"), Step::Cut], 502, "agent-broken-off"),
        (vec![Step::Close(1011)], 502, "agent-broken-off"),
        (vec![Step::Fail("ValueError".to_owned(), "secret".to_owned())], 502, "agent-failed"),
        (vec![Step::frame(r#"{"type":"chat"}"#)], 502, "agent-bad-answer"),
        (vec![Step::frame("hello")], 502, "agent-bad-answer"),
        (vec![Step::Binary(vec![1, 2])], 502, "agent-bad-answer"),
    ];
    for (n, (steps, status, kind)) in cases.into_iter().enumerate() {
        cat.next(steps);
        let answer = send(&gateway, &format!("user{n}"), "?").await;
        let problem = answer.problem();
        assert_eq!((problem.0, problem.2), (status, format!("/problems/{kind}")));
        assert!(!answer.body.contains("secret"), "{}", answer.body);
        assert!(answer.header("quadrille-turn").is_some());
    }
    // Nobody holds on to a connection that failed.
    cat.has_open(0).await;
    assert_eq!(gateway.metrics().await.sum("quadrille_turns_running", &[]), 0);
    cat.refuse(403);
    assert_eq!(send(&gateway, "a", "?").await.problem().2, "/problems/agent-refused");
    let address = cat.die().await;
    assert_eq!(send(&gateway, "b", "?").await.problem().2, "/problems/agent-unreachable");
    // It comes back, and so do the answers.
    let cat = Cat::at(address, e2e::fake::cat::Version::V1_9).await;
    e2e::eventually("an answer", async || {
        (send(&gateway, "b", "?").await.status == 200).then_some(())
    })
    .await;
    assert!(!cat.calls().is_empty());
}

#[tokio::test]
async fn an_agent_that_answers_twice_or_late_never_answers_the_next_question() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("agents.cat.first_token_timeout", "200ms")]).await;
    for round in 0..20 {
        let (first, second) = (format!("first {round}"), format!("second {round}"));
        cat.on(&first, [Step::reply("one"), Step::reply("one again")]);
        cat.on(&second, [Step::reply("two")]);
        assert_eq!(send(&gateway, "7", &first).await.json(), json!({"response": "one"}));
        assert_eq!(send(&gateway, "7", &second).await.json(), json!({"response": "two"}));
    }
    let gate = Gate::new();
    cat.on("slow", [Step::Hold(gate.clone()), Step::reply("late")]);
    let slow = send(&gateway, "7", "slow").await.problem();
    assert_eq!(slow.2, "/problems/agent-first-token-timeout");
    gate.open();
    assert_eq!(send(&gateway, "7", "next").await.json(), json!({"response": "re: next"}));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused_with_a_time_to_come_back() {
    let cat = Cat::start().await;
    let bounds = [("agents.max_queued", "1"), ("agents.queue_timeout", "1s")];
    let gateway = gateway(&cat, &bounds).await;
    let gate = Gate::new();
    cat.next([Step::Hold(gate.clone()), Step::reply("first")]);
    let ask = |message: &str| json!({"user_id": "7", "message": message});
    let first = post(&gateway, "/api/v1/turns", &[], &ask("1")).await;
    let second = post(&gateway, "/api/v1/turns", &[], &ask("2")).await;
    let third = post(&gateway, "/api/v1/turns", &[], &ask("3")).await;
    assert_eq!((first.status, second.status, third.status), (202, 202, 503));
    assert_eq!(third.problem().2, "/problems/busy");
    assert!(third.header("retry-after").is_some());
    // The second one waits too long; then there is room again.
    let id = second.json()["turn"].as_str().unwrap().to_owned();
    let ended = e2e::eventually("the end of the turn that waits", async || {
        let turn = e2e::relay::turn(&gateway, &id).await;
        (turn["status"] != "waiting").then_some(turn)
    })
    .await;
    assert_eq!((&ended["status"], &ended["code"]), (&json!("failed"), &json!("queue_timeout")));
    let fourth = post(&gateway, "/api/v1/turns", &[], &ask("4")).await;
    assert_eq!(fourth.status, 202);
    gate.open();
}
