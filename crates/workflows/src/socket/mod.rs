//! The WebSocket of a chat, which shows the chat's records.
mod client;
mod frame;
mod snapshot;
mod watched;

use std::sync::Arc;

use axum::{
    Router,
    extract::{self, Request},
    response::Response,
    routing::any,
};
use percent_encoding::percent_decode_str;
use quadrille_core::{Position, Since};
use quadrille_edge::ws;
use serde_json::Value;

use self::{client::ChatClient, watched::Options};
use crate::{PATH, state::State};

pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new()
        .route(PATH, any(open))
        .route(&format!("{PATH}/"), any(open))
        .route(&format!("{PATH}/{{chat}}"), any(open))
        .route(&format!("{PATH}/{{chat}}/{{*rest}}"), any(open))
        .with_state(Arc::clone(state))
}

/// Accepts a connection, or answers why not.
async fn open(extract::State(state): extract::State<Arc<State>>, request: Request) -> Response {
    let chat = chat(request.uri().path()).map_or(Value::Null, Value::String);
    let options = options(request.uri().query().unwrap_or_default());
    let config = (&state.config).into();
    let client = |accepted| ChatClient::new(&state, accepted, chat, options);
    ws::accept(&state.core, request, config, client).await
}

fn options(query: &str) -> Options {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value)
    };
    let flag = |name: &str| value(name).is_some_and(|value| value == "true" || value == "1");
    let since = value("since").and_then(|value| value.parse::<Position>().ok()).map(Since::After);
    Options { since, snapshot: flag("snapshot"), positions: flag("positions") }
}

/// The chat in a path; what follows it is ignored. `None` if the path ends before it.
fn chat(path: &str) -> Option<String> {
    let chat = path.strip_prefix(PATH)?.strip_prefix('/')?.split('/').next()?;
    Some(percent_decode_str(chat).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chat_is_the_first_part_of_the_path() {
        let chats = ["/chat/abc", "/chat/abc/x", "/chat/a%20b", "/chat/"].map(chat);
        assert_eq!(chats, ["abc", "abc", "a b", ""].map(|chat| Some(chat.to_owned())));
        assert_eq!(chat("/chat"), None);
    }
}
