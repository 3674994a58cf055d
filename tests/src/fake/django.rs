//! Answers of the Django backend of seed 003.
use serde_json::{Value, json};

pub fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

pub fn token(token: &str) -> String {
    event("token", &json!({"token": token, "session_id": "7"}))
}

pub fn started() -> String {
    event("start", &json!({"status": "started", "session_id": "7"}))
}

pub fn ended(reply: &str) -> String {
    event("end", &json!({"status": "completed", "full_response": reply, "session_id": "7"}))
}

pub fn failed(error: &str) -> String {
    event("error", &json!({"error": error, "session_id": "7"}))
}

/// A whole stream.
pub fn stream(tokens: &[&str]) -> String {
    let told: String = tokens.iter().map(|it| token(it)).collect();
    started() + &told + &ended(&tokens.concat())
}

/// An answer in one piece.
pub fn whole(reply: &str) -> Value {
    json!({
        "response": reply, "session_id": "7", "user_identifier": "7",
        "intelligence_level": "super", "system_stats": {},
    })
}
