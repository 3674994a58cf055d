//! A reader of server-sent events, by the letter of WHATWG HTML 9.2.6.
use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpSocket,
};

use crate::{
    Gateway,
    http::{self, Response},
    patience::within,
};

#[derive(Debug)]
pub struct Sse {
    stream: BufReader<tokio::net::TcpStream>,
    pub head: Response,
    /// Of a chunk, what has been read and not been used.
    text: String,
    last_id: String,
}

/// An event that a page would see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }
}

impl Sse {
    /// Watches what `query` names, from the event on whose id is given.
    pub async fn open(gateway: &Gateway, query: &str, last_id: Option<&str>) -> Self {
        Self::connect(gateway, query, last_id, None).await
    }

    /// A reader whose kernel holds few bytes for it, so that not reading is felt by the gateway.
    pub async fn narrow(gateway: &Gateway, query: &str) -> Self {
        Self::connect(gateway, query, None, Some(4096)).await
    }

    /// A reader of what a request is answered with.
    pub async fn request(
        gateway: &Gateway,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let stream = TcpSocket::new_v4().expect("a socket").connect(gateway.address());
        let stream = within("a connection", stream).await.expect("it listens");
        let head = http::head(gateway.address(), method, path, headers) + body;
        Self::ask(stream, &head, None).await
    }

    async fn connect(
        gateway: &Gateway,
        query: &str,
        last_id: Option<&str>,
        receive_buffer: Option<u32>,
    ) -> Self {
        let at = gateway.address();
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("a size");
        }
        let stream = within("a connection", socket.connect(at)).await.expect("it listens");
        let headers: Vec<_> = last_id.iter().map(|id| ("Last-Event-ID", *id)).collect();
        let head = http::head(at, "GET", &format!("/events?{query}"), &headers);
        Self::ask(stream, &head, last_id).await
    }

    async fn ask(stream: tokio::net::TcpStream, request: &str, last_id: Option<&str>) -> Self {
        let mut stream = BufReader::new(stream);
        stream.write_all(request.as_bytes()).await.expect("it is open");
        let head = within("a response", http::response(&mut stream)).await.expect("HTTP");
        let opened = (head.status, head.header("content-type"));
        assert_eq!(opened, (200, Some("text/event-stream")), "{head:?}");
        let last_id = last_id.unwrap_or_default().to_owned();
        Self { stream, head, text: String::new(), last_id }
    }

    /// Value that the page would send as `Last-Event-ID`.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Reads what comes before any event.
    pub async fn opened(&mut self) -> String {
        let block = self.block().await.expect("an opening");
        assert_eq!(self.dispatch(&block), None, "{block:?}");
        block
    }

    /// The next event, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if let Some(event) = self.dispatch(&block) {
                return Some(event);
            }
        }
    }

    /// The JSON in the next event, which must be of this kind.
    pub async fn data(&mut self, kind: &str) -> Value {
        let event = self.next().await.expect("an event");
        assert_eq!(event.kind, kind, "{event:?}");
        event.json()
    }

    /// The payloads of the next records.
    pub async fn payloads(&mut self, count: usize) -> Vec<Value> {
        let mut got = Vec::new();
        while got.len() < count {
            got.push(self.data("message").await["payload"].take());
        }
        got
    }

    /// Lines up to an empty one; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        within("an event", async {
            while !self.text.contains("\n\n") {
                let chunk = chunk(&mut self.stream).await.expect("a whole chunk");
                if chunk.is_empty() {
                    return None;
                }
                self.text.push_str(&chunk);
            }
            let (block, rest) = self.text.split_once("\n\n")?;
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            Some(block)
        })
        .await
    }

    fn dispatch(&mut self, block: &str) -> Option<Event> {
        assert!(!block.contains('\r'), "{block:?}");
        let (mut kind, mut data) = ("message".to_owned(), Vec::new());
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => value.clone_into(&mut self.last_id),
                "event" => value.clone_into(&mut kind),
                "data" => data.push(value),
                "retry" => assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{block:?}"),
                _ => assert_eq!(field, "", "neither a field nor a comment: {block:?}"),
            }
        }
        let id = self.last_id.clone();
        (!data.is_empty()).then(|| Event { id, kind, data: data.join("\n") })
    }
}

/// The next chunk of a body; empty if it was the last.
async fn chunk(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut size = String::new();
    stream.read_line(&mut size).await?;
    let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
    let mut bytes = vec![0; size + 2];
    stream.read_exact(&mut bytes).await?;
    bytes.truncate(size);
    String::from_utf8(bytes).map_err(io::Error::other)
}
