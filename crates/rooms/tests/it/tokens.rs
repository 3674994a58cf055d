//! Tokens that are accepted, and where they are read.
use e2e::token::{forge, now, token};
use futures_util::future::join_all;
use quadrille_core::Limits;
use quadrille_identity::Mode;
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Client, refusal},
};

#[tokio::test]
async fn tokens_are_refused_in_the_words_that_clients_know() {
    let bed = Bed::jwt().await;
    let nobody = Client::nobody(&bed);
    let told = async |token: &str| {
        let answer = nobody.clone().bearer(token).get("/conversations").await;
        (answer.status, answer.json()["msg"].as_str().unwrap_or_default().to_owned())
    };
    let (status, why) = refusal(&nobody.get("/conversations").await);
    assert_eq!(status, 401);
    assert!(why.starts_with("Missing JWT in headers, cookies or query_string ("), "{why}");
    let expired = token(json!({"sub": "ann", "exp": now() - 3600}));
    assert_eq!(told(&expired).await, (401, "Token has expired".to_owned()));
    let refresh = token(json!({"sub": "ann", "type": "refresh"}));
    assert_eq!(told(&refresh).await, (422, "Only non-refresh tokens are allowed".to_owned()));
    let forged = forge(&json!({"alg": "HS256", "typ": "JWT"}), json!({"sub": "ann"}), "AAAA");
    for bad in ["nonsense", "a.b.c", &forged] {
        assert_eq!(told(bad).await.0, 422, "{bad}");
    }
    assert_eq!(told(&token(json!({}))).await.0, 422);
    assert_eq!(told(&token(json!({"sub": "ann"}))).await.0, 200);
}

#[tokio::test]
async fn a_token_is_taken_from_header_cookie_or_query() {
    let bed = Bed::jwt().await;
    let nobody = Client::nobody(&bed);
    let good = token(json!({"sub": "ann"}));
    let status = async |client: Client, query: &str| {
        client.get(&format!("/conversations?{query}")).await.status
    };
    let cookie = format!("theme=dark; access_token={good}");
    assert_eq!(status(nobody.clone().header("Cookie", &cookie), "").await, 200);
    assert_eq!(status(nobody.clone(), &format!("jwt={good}")).await, 200);
    assert_eq!(status(nobody.clone(), &format!("token={good}")).await, 200);
    // The first that is there counts.
    let both = nobody.clone().bearer("nonsense").header("Cookie", &cookie);
    assert_eq!(status(both, &format!("jwt={good}")).await, 422);
}

#[tokio::test]
async fn a_cookie_changes_nothing_for_a_page_from_elsewhere() {
    let bed = Bed::jwt().await;
    let cookie = format!("access_token={}", token(json!({"sub": "ann"})));
    let ann = Client::nobody(&bed).header("Cookie", &cookie);
    let id = bed.conversation("ann").await;
    let post = async |client: &Client| {
        client.post("/messages", json!({"conversation_id": id, "content": "hello"})).await
    };
    for (name, value) in
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("X", "")]
    {
        let (status, why) = refusal(&post(&ann.clone().header(name, value)).await);
        assert!(status == 401 && why.starts_with("Missing CSRF token"), "{name}: {status} {why}");
        let delete = ann.clone().header(name, value).delete(&format!("/conversations/{id}")).await;
        assert_eq!(delete.status, 401);
    }
    assert_eq!(bed.contents(id).await, Vec::<String>::new());
    for (name, value) in [("Origin", "https://chat.example.com"), ("Sec-Fetch-Site", "same-origin")]
    {
        assert_eq!(post(&ann.clone().header(name, value)).await.status, 201, "{name}");
    }
    assert_eq!(ann.get(&format!("/conversations/{id}/messages")).await.status, 200);
}

#[tokio::test]
async fn where_nobody_signs_in_somebody_has_to_be_claimed() {
    let bed = Bed::open().await;
    let nobody = Client::nobody(&bed);
    let (status, why) = refusal(&nobody.get("/conversations").await);
    assert!(status == 401 && why.starts_with("Missing user_id"), "{status} {why}");
    let bad = refusal(&Client::claiming(&bed, "a%0Ab").get("/conversations").await);
    assert!(bad.0 == 400 && bad.1.starts_with("user_id cannot be used"), "{bad:?}");
    let wrong = nobody.post("/conversations", json!({"user_id": ["ann"]})).await;
    assert_eq!(refusal(&wrong), (400, "user_id must be a text or a number".to_owned()));
    assert_eq!(Client::claiming(&bed, "ann").get("/conversations").await.status, 200);
}

#[tokio::test]
async fn who_asks_too_much_is_told_how_long_to_wait() {
    let limits = Limits { requests_per_second: 2, ..Limits::default() };
    let bed = Bed::with(Mode::Jwt, &limits).await;
    let ann = Client::signed_in(&bed, "ann");
    for path in ["/conversations", "/health"] {
        let answers = join_all((0..20).map(|_| ann.get(path))).await;
        let refused = answers.iter().find(|it| it.status == 429).expect("a refusal");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.json()["error"].as_str().unwrap().starts_with("too many requests"));
    }
    // Every user has their own.
    assert_eq!(Client::signed_in(&bed, "bob").get("/conversations").await.status, 200);
}

#[tokio::test]
async fn who_says_too_much_is_told_how_long_to_wait() {
    let limits = Limits { publishes_per_second: 2, ..Limits::default() };
    let bed = Bed::with(Mode::Jwt, &limits).await;
    let ann = Client::signed_in(&bed, "ann");
    let id = bed.conversation("ann").await;
    let say = json!({"conversation_id": id, "message": "hello", "content": "hello"});
    for path in ["/messages", "/api/upload_file", "/chat/stream"] {
        let answers = join_all((0..20).map(|_| ann.post(path, say.clone()))).await;
        let refused = answers.iter().find(|it| it.status == 429).expect("a refusal");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.json()["error"].as_str().unwrap().starts_with("too many publications"));
    }
    assert!(bed.contents(id).await.len() < 20);
}

#[tokio::test]
async fn forged_tokens_are_held_against_the_address() {
    let limits = Limits { bad_tokens_per_minute: 3, ..Limits::default() };
    let bed = Bed::with(Mode::Jwt, &limits).await;
    let mallory = Client::nobody(&bed).bearer("a.b.c");
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(mallory.get("/conversations").await.status);
    }
    assert_eq!(told, [422, 422, 422, 429]);
}
