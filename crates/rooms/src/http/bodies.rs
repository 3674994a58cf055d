//! The fields of request bodies.
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, ContentBuilder, Required,
    request_body::{RequestBody, RequestBodyBuilder},
};

const JSON: &str = "application/json";
const PARTS: &str = "multipart/form-data";
const PAIRS: &str = "application/x-www-form-urlencoded";

/// A text that is not blank.
const SAID: &str = r"[^\s\u0085]";

/// Schema of the body at `path`.
pub(super) fn of(path: &str) -> Option<RequestBody> {
    let contents: &[(&str, Value)] = match path {
        "/conversations" => {
            &[(JSON, json!({ "properties": { "user_id": user(), "title": title() } }))]
        }
        "/conversations/{id}" => &[(JSON, change())],
        "/messages" => &[(JSON, message()), (PARTS, message_with_files())],
        "/api/upload_file" => &[(PARTS, files())],
        "/chat/stream" => &[(JSON, question()), (PAIRS, question_in_form())],
        _ => return None,
    };
    let contents = contents.iter().map(|(media, schema)| {
        let mut schema = schema.clone();
        schema["type"] = "object".into();
        ((*media).to_owned(), content(schema).into())
    });
    let is_required = if path == "/conversations" { Required::False } else { Required::True };
    let mut body = RequestBodyBuilder::new().required(Some(is_required)).build();
    body.content = contents.collect();
    Some(body)
}

/// Describes a body with `schema` as it stands: the types of schemas are costly to parse into.
fn content(schema: Value) -> Content {
    ContentBuilder::new().extensions(Some([("schema", schema)].into_iter().collect())).build()
}

fn user() -> Value {
    json!({
        "type": ["string", "number", "null"],
        "description": "the user, if the server does not check tokens and the query names none",
    })
}

fn title() -> Value {
    json!({ "type": ["string", "null"], "maxLength": 255 })
}

/// Requires at least one of both.
fn change() -> Value {
    let mut title = title();
    title["pattern"] = SAID.into();
    json!({
        "properties": {
            "user_id": user(),
            "title": title,
            "is_pinned": {
                "type": ["boolean", "string", "null"],
                "enum": [true, false, "true", "false", "1", "0", null],
            },
        },
    })
}

fn any(what: &str) -> Value {
    json!({
        "type": ["object", "array", "string", "number", "boolean", "null"],
        "description": what,
    })
}

fn conversation() -> Value {
    json!({ "type": ["integer", "string"], "pattern": "^[0-9]+$" })
}

fn message() -> Value {
    json!({
        "required": ["conversation_id", "content"],
        "properties": {
            "user_id": user(),
            "conversation_id": conversation(),
            "content": { "type": "string", "pattern": SAID },
            "sender": {
                "type": ["string", "null"],
                "enum": ["user", "assistant", null],
                "description": "`user` if it is left out; `role` means the same",
            },
            "metadata": any("what goes with it"),
            "temp_id": {
                "type": ["string", "number", "null"],
                "maxLength": 255,
                "description": "idempotency key",
            },
        },
    })
}

fn message_with_files() -> Value {
    json!({
        "required": ["conversation_id"],
        "properties": {
            "user_id": { "type": "string" },
            "conversation_id": { "type": "string", "pattern": "^[0-9]+$" },
            "content": { "type": "string", "description": "may be left out if there are files" },
            "sender": { "type": "string", "enum": ["user", "assistant"] },
            "metadata": { "type": "string", "contentMediaType": "application/json" },
            "temp_id": { "type": "string", "maxLength": 255 },
            "files": { "type": "array", "items": { "type": "string", "format": "binary" } },
        },
    })
}

fn files() -> Value {
    json!({
        "required": ["conversation_id", "files"],
        "properties": {
            "user_id": { "type": "string" },
            "conversation_id": { "type": "string", "pattern": "^[0-9]+$" },
            "files": {
                "type": "array",
                "minItems": 1,
                "items": { "type": "string", "format": "binary" },
            },
            "message": { "type": "string" },
        },
    })
}

fn question() -> Value {
    json!({
        "required": ["message"],
        "properties": {
            "user_id": user(),
            "message": { "type": "string", "pattern": SAID },
            "conversation_id": any("if there is one, pieces of the reply are JSON strings"),
            "history": {
                "type": ["array", "null"],
                "description": "the conversation so far, in place of the stored one: messages \
                                with `role` (`user` or `assistant`) and `content`",
            },
            "image": {
                "type": ["string", "null"],
                "description": "the picture that is asked about; blank is none",
                "pattern": "^\\s*($|https?://|data:image/)",
            },
            "intelligence_level": { "type": ["string", "number", "null"] },
        },
    })
}

fn question_in_form() -> Value {
    json!({
        "required": ["message"],
        "properties": {
            "user_id": { "type": "string" },
            "message": { "type": "string", "pattern": SAID },
            "conversation_id": { "type": "string" },
            "intelligence_level": { "type": ["string", "number", "null"] },
        },
    })
}
