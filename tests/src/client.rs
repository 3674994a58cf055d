//! A WebSocket client that reads with patience and says what it got instead.
use std::{collections::VecDeque, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, Utf8Bytes, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{Form, Gateway, patience::within};

/// A byte stream below a WebSocket.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for S {}

pub struct Client {
    socket: WebSocketStream<Box<dyn Carrier>>,
    /// Frames that arrived while an acknowledgement was awaited.
    early: VecDeque<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("early", &self.early).finish_non_exhaustive()
    }
}

impl Client {
    pub async fn connect(gateway: &Gateway) -> Self {
        Self::connect_to(gateway.address()).await
    }

    pub async fn connect_to(at: SocketAddr) -> Self {
        let opened = Self::open(at, None).await;
        opened.unwrap_or_else(|e| panic!("the gateway refused a client: {e}"))
    }

    /// A client whose kernel holds few bytes for it, so that not reading is felt by the gateway.
    pub async fn narrow(gateway: &Gateway) -> Self {
        let opened = Self::open(gateway.address(), Some(4096)).await;
        opened.unwrap_or_else(|e| panic!("the gateway refused a client: {e}"))
    }

    /// A client that shows a token.
    pub async fn signed_in(gateway: &Gateway, token: &str) -> Self {
        let headers = [("authorization", format!("Bearer {token}"))];
        let opened = Self::open_with(gateway.address(), None, &headers).await;
        opened.unwrap_or_else(|e| panic!("the gateway refused a client with a token: {e}"))
    }

    pub async fn open(at: SocketAddr, receive_buffer: Option<u32>) -> tungstenite::Result<Self> {
        Self::open_with(at, receive_buffer, &[]).await
    }

    pub async fn open_with(
        at: SocketAddr,
        receive_buffer: Option<u32>,
        headers: &[(&'static str, String)],
    ) -> tungstenite::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = within("a connection", socket.connect(at)).await?;
        stream.set_nodelay(true)?;
        Self::open_over(Box::new(stream), &at.to_string(), headers).await
    }

    /// Over a connection that there is.
    pub async fn open_over(
        stream: Box<dyn Carrier>,
        host: &str,
        headers: &[(&'static str, String)],
    ) -> tungstenite::Result<Self> {
        Self::open_at(stream, &format!("{host}/ws"), headers).await
    }

    /// A client of another address of the gateway than the broker's.
    pub async fn at(gateway: &Gateway, path: &str) -> Self {
        Self::at_address(gateway.address(), path).await
    }

    /// The same on a listener of its own.
    pub async fn at_address(at: SocketAddr, path: &str) -> Self {
        let stream = within("a connection", tokio::net::TcpStream::connect(at)).await;
        let stream = Box::new(stream.expect("the gateway listens"));
        let opened = Self::open_at(stream, &format!("{at}{path}"), &[]).await;
        opened.unwrap_or_else(|e| panic!("the gateway refused a client: {e}"))
    }

    async fn open_at(
        stream: Box<dyn Carrier>,
        at: &str,
        headers: &[(&'static str, String)],
    ) -> tungstenite::Result<Self> {
        let mut request = format!("ws://{at}").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let handshake = client_async_with_config(request, stream, Some(config));
        let (socket, _) = within("the handshake", handshake).await?;
        Ok(Self { socket, early: VecDeque::new() })
    }

    pub async fn send(&mut self, message: Message) {
        within("room to send", self.socket.send(message)).await.expect("the connection is open");
    }

    pub async fn send_text(&mut self, text: impl Into<Utf8Bytes>) {
        self.send(Message::text(text)).await;
    }

    pub async fn send_json(&mut self, value: &Value) {
        self.send_text(value.to_string()).await;
    }

    /// Sends without waiting for the bytes to leave; [`Client::flush`] does that.
    pub async fn feed_text(&mut self, text: impl Into<Utf8Bytes>) {
        let fed = within("room to send", self.socket.feed(Message::text(text))).await;
        fed.expect("the connection is open");
    }

    pub async fn flush(&mut self) {
        within("room to send", self.socket.flush()).await.expect("the connection is open");
    }

    /// The next text frame; `Err` holds the close code and reason, 1006 if there was none.
    pub async fn try_next(&mut self) -> Result<String, (u16, String)> {
        if let Some(text) = self.early.pop_front() {
            return Ok(text);
        }
        loop {
            match within("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err((frame.code.into(), frame.reason.as_str().to_owned()));
                }
                Some(Ok(Message::Close(None))) => return Err((1005, String::new())),
                Some(Ok(other)) => panic!("the broker sends text only, but here is {other:?}"),
                Some(Err(e)) => return Err((1006, e.to_string())),
                None => return Err((1006, "end of stream".to_owned())),
            }
        }
    }

    pub async fn next_text(&mut self) -> String {
        let got = self.try_next().await;
        got.unwrap_or_else(|closed| panic!("closed with {closed:?} instead of a frame"))
    }

    pub async fn next_json(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
    }

    /// Sends a command and gives the answer; records that come before it are kept for later.
    pub async fn ask(&mut self, form: Form, verb: &str, fields: Value) -> Value {
        self.send_json(&form.command(verb, fields)).await;
        self.answer().await
    }

    /// The next frame that is not a record of a channel, but an answer to this client.
    pub async fn answer(&mut self) -> Value {
        let mut before = std::mem::take(&mut self.early);
        loop {
            let text = self.next_text().await;
            let frame: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            if is_answer(&frame) {
                before.append(&mut self.early);
                self.early = before;
                return frame;
            }
            before.push_back(text);
        }
    }

    /// Subscribes from now on, and gives the position.
    pub async fn subscribe(&mut self, channel: &str) -> String {
        self.subscribe_with(json!({"channel": channel})).await
    }

    /// Subscribes with options, and gives the position.
    pub async fn subscribe_with(&mut self, fields: Value) -> String {
        let answer = self.ask(Form::Envelope, "subscribe", fields).await;
        assert_eq!(answer["payload"]["action"], "subscribed", "{answer}");
        Form::Envelope.position(&answer)
    }

    pub async fn publish(&mut self, channel: &str, payload: &Value) {
        self.send_json(&json!({"channel": channel, "payload": payload})).await;
    }

    /// Everything that arrives before the answer to a `ping`.
    pub async fn until_pong(&mut self) -> Vec<String> {
        self.send_json(&Form::Envelope.command("ping", json!({}))).await;
        let mut before = Vec::new();
        loop {
            let text = self.next_text().await;
            let frame: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            if frame["channel"] == "subscription" && frame["payload"]["action"] == "pong" {
                return before;
            }
            before.push(text);
        }
    }

    /// Reads until the server closes; a frame before that is a failure.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.try_next().await {
            Ok(text) => panic!("a frame instead of a close: {text}"),
            Err(closed) => closed,
        }
    }

    /// Reads whatever comes until the server closes.
    pub async fn drained(&mut self) -> (Vec<String>, (u16, String)) {
        let mut frames = Vec::new();
        loop {
            match self.try_next().await {
                Ok(text) => frames.push(text),
                Err(closed) => return (frames, closed),
            }
        }
    }

    /// Closes and waits until the server has answered.
    pub async fn leave(mut self) {
        within("room to send", self.socket.close(None)).await.expect("the connection is open");
        within("the close handshake", async {
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }
}

fn is_answer(frame: &Value) -> bool {
    let verbs =
        ["subscribed", "unsubscribed", "history", "presence", "pong", "refreshed", "cancelling"];
    let named = |key: &str| frame[key].as_str().is_some_and(|verb| verbs.contains(&verb));
    (frame["channel"] == "subscription" && frame["payload"]["action"] != "gap")
        || named("action")
        || named("type")
}
