//! A chat of workflows, as a program uses it: over HTTP, and watched over a WebSocket.
use std::{fmt::Write as _, net::SocketAddr};

use serde_json::{Value, json};

use crate::{Client, Gateway, http};

const CHATS: &str = "/api/v1/chat/workflows";

/// Where chats with the bot are.
pub const CHATS_OF_BOT: &str = "/api/v1/chat/bot/conversations";

/// The type of an upload's body.
pub const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=b");

/// First part of an upload's body, up to the content of its file.
pub fn part(name: &str) -> String {
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=";
    format!("{head}\"{name}\"\r\n\r\n")
}

/// A chat by its id, wherever its gateway is at present.
#[derive(Clone, Debug)]
pub struct Chat {
    pub id: String,
    at: SocketAddr,
}

impl Chat {
    pub async fn create(gateway: &Gateway) -> Self {
        let at = gateway.address();
        let made = http::send(at, "POST", CHATS, &[], b"").await.expect("the gateway answers");
        assert_eq!((made.status, &made.json()["status_code"]), (201, &json!(200)));
        let id = made.json()["data"]["chat_id"].as_str().expect("a chat has an id").to_owned();
        Self { id, at }
    }

    /// One that is there, or is not.
    pub fn named(gateway: &Gateway, id: &str) -> Self {
        Self { id: id.to_owned(), at: gateway.address() }
    }

    /// The same chat after its gateway was started again.
    #[must_use]
    pub fn again(&self, gateway: &Gateway) -> Self {
        Self::named(gateway, &self.id)
    }

    /// The address of something of the chat.
    pub fn path(&self, rest: &str) -> String {
        format!("{CHATS}/{}{rest}", self.id)
    }

    pub async fn get(&self, rest: &str) -> http::Response {
        http::get(self.at, &self.path(rest), &[]).await.expect("the gateway answers")
    }

    pub async fn post(&self, rest: &str, body: &Value) -> http::Response {
        let json = [("Content-Type", "application/json")];
        let body = body.to_string();
        let sent = http::send(self.at, "POST", &self.path(rest), &json, body.as_bytes()).await;
        sent.expect("the gateway answers")
    }

    pub async fn upload(&self, name: &str, content: impl AsRef<[u8]>) -> http::Response {
        upload(self.at, &self.path("/upload"), name, content).await
    }

    /// Does `steps`, and waits for their end.
    pub async fn execute(&self, steps: &Value) -> http::Response {
        self.post("/execute", &json!({ "steps": steps })).await
    }

    /// Connects a watcher of the chat, and awaits the confirmation.
    pub async fn watch(&self, gateway: &Gateway) -> Client {
        let mut client = Client::at(gateway, &format!("/chat/{}", self.id)).await;
        let connected = client.next_json().await;
        assert_eq!(
            (&connected["type"], &connected["chat_id"]),
            (&json!("connected"), &json!(self.id))
        );
        client
    }
}

/// Send a file in a form of parts.
pub async fn upload(
    at: SocketAddr,
    path: &str,
    name: &str,
    content: impl AsRef<[u8]>,
) -> http::Response {
    let body = [part(name).as_bytes(), content.as_ref(), b"\r\n--b--\r\n"].concat();
    let sent = http::send(at, "POST", path, &[FORM], &body).await;
    sent.expect("the gateway answers")
}

/// A table of so many rows, of people with numbers.
pub fn people(rows: usize) -> String {
    let mut table = "id,name,city\n".to_owned();
    for row in 0..rows {
        writeln!(table, "{row:07},Jürgen {row},{}", ["Köln", "Oslo"][row % 2]).expect("a text");
    }
    table
}
