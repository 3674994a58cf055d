//! Answers of a server of AG-UI, and the same as Cheshire Cat 2 sends them.
use serde_json::{Value, json};

pub fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

pub fn events(data: &[Value]) -> String {
    data.iter().map(event).collect()
}

pub fn started() -> Value {
    json!({"type": "RUN_STARTED", "threadId": "7", "runId": "r"})
}

pub fn finished() -> Value {
    json!({"type": "RUN_FINISHED", "threadId": "7", "runId": "r"})
}

/// A message of the assistant.
pub fn message(id: &str, tokens: &[&str]) -> Vec<Value> {
    let content = |it| json!({"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": it});
    let mut events =
        vec![json!({"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant"})];
    events.extend(tokens.iter().map(content));
    events.push(json!({"type": "TEXT_MESSAGE_END", "messageId": id}));
    events
}

/// A run with one message.
pub fn run(tokens: &[&str]) -> String {
    events(&[vec![started()], message("m1", tokens), vec![finished()]].concat())
}

/// A run of Cheshire Cat 2.0.15: names with `_`, nulls, and an id of its own for every event.
pub fn cat_run(tokens: &[&str]) -> String {
    let mut id = 0;
    let mut event = |kind: &str, more: &Value| {
        id += 1;
        let mut event = json!({
            "type": kind, "timestamp": 1_790_000_000, "raw_event": null, "message_id": id.to_string(),
        });
        for (key, value) in more.as_object().expect("an object") {
            event[key] = value.clone();
        }
        event
    };
    let ids = json!({"thread_id": "_", "run_id": "r"});
    let call =
        json!({"tool_call_id": "t1", "tool_call_name": "get_time", "parent_message_id": null});
    let mut run = vec![
        event("RUN_STARTED", &ids),
        event("TOOL_CALL_START", &call),
        event("TOOL_CALL_ARGS", &json!({"tool_call_id": "t1", "delta": "{'city': 'Rome'}"})),
        event("TOOL_CALL_END", &json!({"tool_call_id": "t1"})),
        event("TOOL_CALL_RESULT", &json!({"tool_call_id": "t1", "content": "12:00"})),
        event("TEXT_MESSAGE_START", &json!({"role": "assistant"})),
    ];
    run.extend(tokens.iter().map(|it| event("TEXT_MESSAGE_CONTENT", &json!({"delta": it}))));
    run.push(event("TEXT_MESSAGE_END", &json!({})));
    let mut end = ids.clone();
    end["result"] = cat_result(&tokens.concat());
    run.push(event("RUN_FINISHED", &end));
    events(&run)
}

/// A `TaskResult` of Cheshire Cat 2.
pub fn cat_result(text: &str) -> Value {
    let blocks = json!([{"type": "text", "text": text, "annotations": null}]);
    let message = json!({"role": "assistant", "content": blocks, "tool_calls": [], "text": text});
    json!({"messages": [message], "resources": [], "args": {}, "stream": true})
}
