//! Owners of questions and turns.
use e2e::{
    fake::cat::Cat,
    http::{self, Response},
    relay::{gateway, post},
    token::{JWT, token},
};
use serde_json::{Value, json};

async fn ask(gateway: &e2e::Gateway, claims: Option<Value>, path: &str, body: &Value) -> Response {
    let bearer = claims.map(|claims| format!("Bearer {}", token(claims)));
    let headers: Vec<_> = bearer.as_deref().map(|it| ("Authorization", it)).into_iter().collect();
    post(gateway, path, &headers, body).await
}

async fn at(gateway: &e2e::Gateway, claims: Value, method: &str, path: &str) -> u16 {
    let bearer = format!("Bearer {}", token(claims));
    let headers = [("Authorization", bearer.as_str())];
    http::request(gateway.address(), method, path, &headers).await.expect("an answer").status
}

#[tokio::test]
async fn the_token_says_who_asks_and_not_the_question() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &JWT).await;
    let claimed = json!({"user_id": "8", "message": "?"});
    let refused = ask(&gateway, None, "/send", &claimed).await;
    assert_eq!((refused.status, refused.problem().2.as_str()), (401, "/problems/no-token"));
    let answer = ask(&gateway, Some(json!({"sub": "7"})), "/send", &claimed).await;
    assert_eq!(answer.status, 200);
    // A program asks for those that it may write to.
    let program = json!({"topics": ["user:8"]});
    assert_eq!(ask(&gateway, Some(program.clone()), "/send", &claimed).await.status, 200);
    let other = json!({"user_id": "9", "message": "?"});
    let refused = ask(&gateway, Some(program), "/send", &other).await;
    assert_eq!((refused.status, refused.problem().2.as_str()), (403, "/problems/not-allowed"));
    let users: Vec<_> = cat.calls().into_iter().map(|call| call.user).collect();
    assert_eq!(users, ["7", "8"]);
}

#[tokio::test]
async fn a_turn_of_somebody_else_does_not_exist() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &JWT).await;
    let (seven, question) = (json!({"sub": "7"}), json!({"message": "?"}));
    let turn = ask(&gateway, Some(seven), "/api/v1/turns", &question).await;
    let turn = turn.json()["turn"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/turns/{turn}");
    let events = format!("{path}/events");
    let topic = "/api/v1/topics/user%3A7/turn".to_owned();
    let reader = json!({"topics": {"read": ["user:7"]}});
    let cases = [
        (json!({"sub": "7"}), "GET", &path, 200),
        (json!({"sub": "8"}), "GET", &path, 404),
        (json!({"sub": "8"}), "DELETE", &path, 404),
        (json!({"sub": "8"}), "GET", &events, 404),
        (json!({"sub": "8"}), "GET", &topic, 404),
        (json!({"sub": "8"}), "DELETE", &topic, 404),
        (reader.clone(), "DELETE", &topic, 404),
        (reader.clone(), "GET", &path, 200),
        (reader, "DELETE", &path, 404),
        (json!({"sub": "7"}), "DELETE", &path, 200),
        (json!({"sub": "7"}), "GET", &topic, 204),
        (json!({"sub": "8"}), "GET", &topic, 404),
    ];
    for (claims, method, path, status) in cases {
        assert_eq!(at(&gateway, claims.clone(), method, path).await, status, "{claims} {method}");
    }
    for id in ["01a1fbc1-845d-769d-b40f-274a851de780", "x", "%ff"] {
        let path = format!("/api/v1/turns/{id}");
        assert_eq!(at(&gateway, json!({"sub": "7"}), "GET", &path).await, 404, "{id}");
    }
}

#[tokio::test]
async fn a_turn_in_another_topic_needs_a_grant_to_write_there() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &JWT).await;
    let in_room = json!({"message": "?", "topic": "room:1"});
    let cases = [(json!({"sub": "7"}), 403), (json!({"sub": "7", "rooms": {"read": ["1"]}}), 403)];
    for (claims, status) in cases {
        let answer = ask(&gateway, Some(claims.clone()), "/api/v1/turns", &in_room).await;
        assert_eq!(answer.status, status, "{claims}");
    }
    let granted = json!({"sub": "7", "rooms": ["1"]});
    let answer = ask(&gateway, Some(granted), "/api/v1/turns", &in_room).await;
    assert_eq!((answer.status, &answer.json()["user"]), (202, &json!("7")));
}
