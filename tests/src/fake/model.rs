//! Answers of a server with `/chat/completions`.
use std::fmt::Write as _;

use serde_json::{Value, json};

/// An event with the first choice of a chunk.
pub fn choice(choice: &Value) -> String {
    let mut choice = choice.clone();
    choice["index"] = json!(0);
    event(&json!({"id": "c1", "object": "chat.completion.chunk", "choices": [choice]}))
}

pub fn delta(delta: &Value) -> String {
    choice(&json!({"delta": delta, "finish_reason": null}))
}

pub fn finish(reason: &str) -> String {
    choice(&json!({"delta": {}, "finish_reason": reason}))
}

pub fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

pub const DONE: &str = "data: [DONE]\n\n";

/// A whole stream, as `OpenAI` sends it.
pub fn stream(tokens: &[&str]) -> String {
    let mut stream = delta(&json!({"role": "assistant", "content": "", "refusal": null}));
    for token in tokens {
        stream += &delta(&json!({"content": token}));
    }
    stream += &finish("stop");
    let used = json!({"prompt_tokens": 9, "completion_tokens": tokens.len()});
    write!(stream, "{}{DONE}", event(&json!({"choices": [], "usage": used}))).expect("a String");
    stream
}

/// An answer in one piece.
pub fn whole(message: &Value) -> Value {
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    json!({"id": "c1", "object": "chat.completion", "choices": [choice]})
}
