//! A Cheshire Cat behind the gateway, asked through the relay.
use e2e::{
    Gateway, eventually,
    fake::cat::{Cat, Gate, Step, Version},
    http,
};
use serde_json::{Value, json};

const TOKEN: &str = "meow-5ecret";

async fn gateway(cat: &Cat, more: &[(&str, &str)]) -> Gateway {
    let url = cat.url();
    let settings = [
        ("agents.default", "cat"),
        ("agents.cat.kind", "cheshire-cat"),
        ("agents.cat.url", &url),
        ("agents.cat.token", TOKEN),
    ];
    Gateway::start(&[&settings, more].concat()).await
}

/// Status and body of an answer.
async fn send(gateway: &Gateway, user: &str, message: &str) -> (u16, Value) {
    let body = json!({"user_id": user, "message": message}).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = http::send(gateway.address(), "POST", "/send", &headers, body.as_bytes()).await;
    let answer = answer.expect("the gateway answers");
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_question_over_http_is_answered_by_the_cat() {
    for version in Version::ALL {
        let cat = Cat::of(version).await;
        let gateway = gateway(&cat, &[]).await;
        for text in ["why?", "and then?"] {
            let expected = json!({"response": format!("re: {text}")});
            assert_eq!(send(&gateway, "a/../b", text).await, (200, expected), "{version:?}");
        }
        assert_eq!((cat.connections().len(), cat.connections()[0].user.as_str()), (1, "a/../b"));
    }
}

#[tokio::test]
async fn a_question_that_times_out_lets_the_cat_go_and_its_reply_goes_nowhere() {
    let cat = Cat::of(Version::V1_8).await;
    let gateway = gateway(&cat, &[("agents.cat.token_timeout", "100ms")]).await;
    let gate = Gate::new();
    cat.next([Step::token("well"), Step::Hold(gate.clone()), Step::reply("late")]);
    let (status, problem) = send(&gateway, "ann", "slow?").await;
    assert_eq!((status, &problem["status"]), (504, &json!(504)), "{problem}");
    cat.closed(0).await;
    gate.open();
    let expected = json!({"response": "re: next"});
    assert_eq!(send(&gateway, "ann", "next").await, (200, expected));
}

#[tokio::test]
async fn nothing_says_the_token_or_what_the_cat_says_about_itself() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("log.level", "trace")]).await;
    cat.next([Step::Fail("KeyError".to_owned(), "sk-upstream".to_owned())]);
    let mut said = vec![send(&gateway, "ann", "a").await.1.to_string()];
    cat.refuse(403);
    said.push(send(&gateway, "ann", "b").await.1.to_string());
    cat.die().await;
    let (status, problem) = send(&gateway, "ann", "c").await;
    assert_eq!(status, 502);
    said.push(problem.to_string());
    for answer in &said {
        assert!(!answer.contains("sk-upstream") && !answer.contains("KeyError"), "{answer}");
    }
    eventually("a log", async || (!gateway.stderr().is_empty()).then_some(())).await;
    said.extend(gateway.stop().await.stderr);
    for line in said {
        assert!(!line.contains("5ecret"), "{line}");
    }
}
