//! An agent to measure relays with: it answers as Cheshire Cat 1.9 does, at once and from one
//! thread, so that hardly anything but the relay takes time.
//!
//! Each question is answered by three `chat_token` and one `chat`, a write each, as the Cat's own
//! server sends them. `GET /connections` tells how many connections there were at most and in all.

use std::cell::Cell;
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{ErrorResponse, Request, Response},
};

#[derive(Debug, Parser)]
#[command(about = "A stand-in for a Cheshire Cat")]
struct Listen {
    #[arg(long, default_value = "127.0.0.1:1865")]
    addr: SocketAddr,
}

/// Connections that are open, that were open at most, and that there were.
#[derive(Debug, Default)]
struct Count {
    open: Cell<u64>,
    most: Cell<u64>,
    all: Cell<u64>,
}

#[derive(Deserialize)]
struct Question<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Listen { addr } = Listen::parse();
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit on open files")?;
    let listener =
        TcpListener::bind(addr).await.with_context(|| format!("cannot listen on {addr}"))?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let count = Rc::new(Count::default());
    LocalSet::new()
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await.context("cannot accept")?;
                stream.set_nodelay(true)?;
                let count = Rc::clone(&count);
                // A connection that breaks off is the relay's business.
                spawn_local(async move { drop(connection(stream, &count).await) });
            }
        })
        .await
}

async fn connection(mut stream: TcpStream, count: &Count) -> Result<()> {
    const COUNT: &[u8] = b"GET /connections ";
    let mut begin = [0; COUNT.len()];
    if stream.peek(&mut begin).await? == COUNT.len() && begin == COUNT {
        let body = json!({"most": count.most.get(), "all": count.all.get()});
        stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).await?;
        stream.shutdown().await?;
        // What is not read would reset the connection, and the answer with it.
        stream.read_to_end(&mut Vec::new()).await?;
        return Ok(());
    }
    count.all.set(count.all.get() + 1);
    count.open.set(count.open.get() + 1);
    count.most.set(count.most.get().max(count.open.get()));
    let ended = chat(stream).await;
    count.open.set(count.open.get() - 1);
    ended
}

async fn chat(stream: TcpStream) -> Result<()> {
    let mut user = String::new();
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        request.uri().path().rsplit('/').next().unwrap_or_default().clone_into(&mut user);
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, note).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let Question { text } = serde_json::from_str(&text)?;
        for frame in answer(&user, &text) {
            socket.send(Message::text(frame)).await?;
        }
    }
    Ok(())
}

/// The frames that answer a question.
fn answer(user: &str, question: &str) -> [String; 4] {
    let begin = "We are all mad here. ";
    let middle = format!("You asked: {question} ");
    let end = "That depends a good deal on where you want to get to.";
    let whole = format!("{begin}{middle}{end}");
    let token = |content: &str| json!({"type": "chat_token", "content": content}).to_string();
    let chat = json!({
        "type": "chat",
        "user_id": user,
        "who": "AI",
        "when": 1_795_225_125.981,
        "text": whole,
        "image": null,
        "audio": null,
        "why": {
            "input": question,
            "intermediate_steps": [],
            "memory": {"episodic": [], "declarative": [], "procedural": []},
            "model_interactions": [],
            "agent_output": {"output": whole, "intermediate_steps": [], "return_direct": false},
        },
        "content": whole,
    });
    [token(begin), token(&middle), token(end), chat.to_string()]
}
