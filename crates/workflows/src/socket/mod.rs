//! The WebSocket of a chat: opened, limited, and shown what happens in the chat.
mod client;
mod frame;
mod snapshot;
mod watched;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use percent_encoding::percent_decode_str;
use quadrille_core::{Admission, Close, Position, Since};
use quadrille_edge::{
    http::{Peer, Problem, token},
    ws::{self, Exchange, Handshake},
};
use serde_json::Value;

use self::{
    client::Client,
    watched::{Wanted, Watched},
};
use crate::{NAME, PATH, door::Door};

/// What one connection too many is told, as clients of the original know it.
const FULL: &str = r#"{"type":"error","message":"Maximum connections reached"}"#;

pub(crate) fn router(door: &Arc<Door>) -> Router {
    Router::new()
        .route(PATH, any(open))
        .route(&format!("{PATH}/"), any(open))
        .route(&format!("{PATH}/{{chat}}"), any(open))
        .route(&format!("{PATH}/{{chat}}/{{*rest}}"), any(open))
        .with_state(Arc::clone(door))
}

/// Take a connection in, or say why not.
async fn open(State(door): State<Arc<Door>>, mut request: Request) -> Response {
    let core = &door.core;
    if let Err(problem) = core.origins.check(request.headers()) {
        return problem.into_response();
    }
    let peer = Peer::of(&request).0;
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let token = token::of(&request, &core.origins);
    let agreed = token::subprotocol(request.headers());
    let who = match core.identify(token.as_ref(), peer).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let holder = core.holder(&who, peer);
    let inbox = core.hub.inbox_of(holder.clone());
    let admission = Admission { protocol: NAME, user: who.user.clone(), holder, peer };
    let session = match core.sessions.admit(admission) {
        Ok(session) => session,
        Err(why) => return Problem::from(why).into_response(),
    };
    let chat = chat(request.uri().path());
    let query = request.uri().query().unwrap_or_default();
    let asked = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value)
    };
    let since = asked("since").and_then(|it| it.parse::<Position>().ok()).map(Since::After);
    let flag = |name: &str| asked(name).is_some_and(|it| it == "true" || it == "1");
    let wanted = Wanted { since, snapshot: flag("snapshot"), positions: flag("positions") };
    let (mut response, upgraded) = handshake.accept();
    if let Some(agreed) = agreed {
        response.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    let pump = ws::Config {
        max_message_size: door.config.max_message_size,
        ping_interval: door.config.ping_interval,
        ping_timeout: door.config.ping_timeout,
        write_timeout: door.config.write_timeout,
    };
    let life = core.life.clone();
    life.spawn(NAME, async move {
        let io = match upgraded.await {
            Ok(io) => io,
            Err(why) => {
                tracing::debug!(error = %why, "the client left during the handshake");
                return;
            }
        };
        let Some(watching) = door.watching() else {
            let mut full = Exchange::new(io);
            // Who is gone needs not be told.
            if full.send(FULL).await.is_ok() {
                full.close(&Close::NORMAL).await.ok();
            }
            return;
        };
        let chat = chat.map_or(Value::Null, Value::String);
        let watched = Watched::of(&door, &who, chat, wanted).await;
        let client = Client::new(door, who, peer, watched, watching);
        ws::serve(io, session, inbox, client, pump).await;
    });
    response
}

/// The chat of a path; the rest of a longer one is ignored, and a path without one is of none.
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
        assert_eq!(chats, ["abc", "abc", "a b", ""].map(|it| Some(it.to_owned())));
        assert_eq!(chat("/chat"), None);
    }
}
