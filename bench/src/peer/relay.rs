//! The least that a relay can do: a question goes to the Cat over a connection that is kept for its
//! user, and the reply comes back. No log, no order among questions, no limits, no time-outs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Connections that no question uses, by user.
#[derive(Debug)]
pub(crate) struct Relay {
    cat: String,
    idle: Mutex<HashMap<String, WebSocketStream<TcpStream>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    user_id: String,
    message: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Reply {
    response: String,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn new(cat: String) -> Self {
        Self { cat, idle: Mutex::default() }
    }

    async fn ask(&self, Question { user_id, message }: Question) -> Result<Reply> {
        let parked = self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&user_id);
        let mut socket = if let Some(socket) = parked {
            socket
        } else {
            let stream = TcpStream::connect(&self.cat).await?;
            stream.set_nodelay(true)?;
            client_async(format!("ws://{}/ws/{user_id}", self.cat), stream).await?.0
        };
        socket.send(Message::text(json!({"text": message}).to_string())).await?;
        let response = loop {
            let Message::Text(text) = socket.next().await.context("the Cat left")?? else {
                continue;
            };
            let frame: Frame<'_> = serde_json::from_str(&text)?;
            if frame.kind == "chat" {
                break frame.content.into_owned();
            }
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id, socket);
        Ok(Reply { response })
    }
}

pub(crate) async fn send(
    State(relay): State<Arc<Relay>>,
    Json(question): Json<Question>,
) -> Result<Json<Reply>, StatusCode> {
    relay.ask(question).await.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
}
