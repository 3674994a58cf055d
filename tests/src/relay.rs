//! A client of the relay, and a gateway whose default agent is a fake Cat.
use serde_json::{Value, json};

use crate::{
    Gateway, Sse,
    fake::cat::Cat,
    http::{self, Response},
};

/// A gateway that asks `cat`, with these further keys.
pub async fn gateway(cat: &Cat, more: &[(&str, &str)]) -> Gateway {
    let url = cat.url();
    let settings =
        [("agents.default", "cat"), ("agents.cat.kind", "cheshire-cat"), ("agents.cat.url", &url)];
    Gateway::start(&[&settings, more].concat()).await
}

/// Posts JSON with these further headers.
pub async fn post(
    gateway: &Gateway,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Response {
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    let body = body.to_string();
    let answer = http::send(gateway.address(), "POST", path, &headers, body.as_bytes()).await;
    answer.expect("the gateway answers")
}

/// `POST /send`, without more than is needed.
pub async fn send(gateway: &Gateway, user: &str, message: &str) -> Response {
    post(gateway, "/send", &[], &json!({"user_id": user, "message": message})).await
}

/// `POST /send` for events.
pub async fn stream(gateway: &Gateway, user: &str, message: &str) -> Sse {
    let body = json!({"user_id": user, "message": message}).to_string();
    let length = body.len().to_string();
    let headers = [
        ("Accept", "text/event-stream"),
        ("Content-Type", "application/json"),
        ("Content-Length", &*length),
    ];
    Sse::request(gateway, "POST", "/send", &headers, &body).await
}

/// `GET /api/v1/turns/{id}`
pub async fn turn(gateway: &Gateway, id: &str) -> Value {
    gateway.get(&format!("/api/v1/turns/{id}")).await.json()
}

/// `DELETE /api/v1/turns/{id}`
pub async fn cancel(gateway: &Gateway, id: &str) -> Response {
    let path = format!("/api/v1/turns/{id}");
    http::request(gateway.address(), "DELETE", &path, &[]).await.expect("the gateway answers")
}

/// The whole reply of `POST /chat/stream`, which is read to its end.
pub async fn chat_stream(gateway: &Gateway, body: &str) -> String {
    let length = body.len().to_string();
    let headers = [("Content-Type", "application/json"), ("Content-Length", &*length)];
    let mut stream = Sse::request(gateway, "POST", "/chat/stream", &headers, body).await;
    let mut reply = String::new();
    while let Some(event) = stream.next().await {
        reply += &event.data;
    }
    reply
}
