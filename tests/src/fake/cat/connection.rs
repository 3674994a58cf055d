//! One connection of a Cat: let in or not, and its questions one after the other.
use std::{sync::Arc, time::Instant};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Call, Connection, Shared, Step, Writer,
    wire::{self, BINARY, CLOSE, PING, PONG, TEXT},
};

/// Questions that one connection may have sent ahead.
const AHEAD: usize = 1024;

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a listening socket");
        shared.state().knocks += 1;
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).expect("a TCP socket");
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let Some(head) = head(&mut reader).await else { return };
    let mut it = Connection { head, user: String::new(), frames: Vec::new(), closed: None };
    let path = it.request_line().split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let segment = path.rsplit('/').next().unwrap_or_default();
    it.user = percent_decode_str(segment).decode_utf8_lossy().into_owned();

    if shared.state().is_deaf {
        // Until the other side gives up.
        head_end(&mut reader).await;
        return;
    }
    let refused = shared.state().refuse;
    if let Some(status) = refused {
        let answer =
            format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        writer.write_all(answer.as_bytes()).await.ok();
        return;
    }
    let key = derive_accept_key(it.header("sec-websocket-key").unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    let user = it.user.clone();
    let writer: Writer = Arc::new(Mutex::new(writer));
    let (number, earlier) = {
        let mut state = shared.state();
        let number = state.connections.len();
        state.connections.push(it);
        state.writers.push(Arc::clone(&writer));
        state.open += 1;
        state.most = state.most.max(state.open);
        let earlier = state.newest.insert(user.clone(), number);
        (number, earlier.map(|it| Arc::clone(&state.writers[it])))
    };
    wire::bytes(&writer, answer.as_bytes()).await;
    if let Some(earlier) = earlier.filter(|_| shared.version.closes_the_earlier()) {
        wire::write(&earlier, CLOSE, &1000_u16.to_be_bytes()).await;
    }
    let (ask, asked) = mpsc::channel(AHEAD);
    let read = read(&mut reader, &writer, number, &shared, ask);
    tokio::join!(read, answer_all(asked, &writer, number, &user, &shared));
}

async fn head(reader: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head.trim_end().to_owned())
}

/// Reads until the end.
async fn head_end(reader: &mut BufReader<OwnedReadHalf>) {
    while let Ok(bytes) = reader.fill_buf().await {
        let count = bytes.len();
        if count == 0 {
            return;
        }
        reader.consume(count);
    }
}

/// Reads frames, and goes on doing so while the Cat thinks, so that an end is seen when it comes.
async fn read(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &Writer,
    number: usize,
    shared: &Shared,
    ask: mpsc::Sender<String>,
) {
    let mut code = None;
    while let Ok(frame) = wire::read(reader).await {
        shared.state().connections[number].frames.push(frame.clone());
        match frame.first {
            TEXT => {
                let json: Value = serde_json::from_slice(&frame.payload).expect("a JSON frame");
                let text = json["text"].as_str().expect("a text").to_owned();
                let user = shared.state().connections[number].user.clone();
                let call = Call { user, text: text.clone(), connection: number };
                shared.state().calls.push(call);
                ask.send(text).await.ok();
            }
            PING => {
                wire::write(writer, PONG, &frame.payload).await;
            }
            CLOSE => {
                let bytes = frame.payload.first_chunk();
                code = Some(bytes.map_or(1005, |it| u16::from_be_bytes(*it)));
                wire::write(writer, CLOSE, &frame.payload).await;
                break;
            }
            _ => {}
        }
    }
    let mut state = shared.state();
    state.connections[number].closed = Some((Instant::now(), code));
    state.open -= 1;
}

async fn answer_all(
    mut asked: mpsc::Receiver<String>,
    own: &Writer,
    number: usize,
    user: &str,
    shared: &Shared,
) {
    while let Some(question) = asked.recv().await {
        let steps = {
            let mut state = shared.state();
            let told = state.by_question.get(&question).cloned();
            told.or_else(|| state.queue.pop_front())
        };
        for step in steps.unwrap_or_else(|| Step::answer(&question)) {
            // Looked up for each, as a new connection may come between two.
            let writer = {
                let state = shared.state();
                let newest = state.newest.get(user).copied().unwrap_or(number);
                Arc::clone(if shared.version.sends_to_the_newest() {
                    &state.writers[newest]
                } else {
                    own
                })
            };
            take(step, &question, &writer, user, shared).await;
        }
    }
}

async fn take(step: Step, question: &str, to: &Writer, user: &str, shared: &Shared) {
    let json = |value: &Value| value.to_string().into_bytes();
    let version = shared.version;
    let (first, payload) = match step {
        Step::Token(text) => (TEXT, json(&json!({"type": "chat_token", "content": text}))),
        Step::Notice(content) => (TEXT, json(&json!({"type": "notification", "content": content}))),
        Step::Reply(text) => (TEXT, json(&version.chat(user, question, &text))),
        Step::ReplyTo(input, text) => (TEXT, json(&version.chat(user, &input, &text))),
        Step::Frame(text) => (TEXT, text.into_bytes()),
        Step::Binary(bytes) => (BINARY, bytes),
        Step::Ping => (PING, b"still there?".to_vec()),
        Step::Fail(name, description) => {
            let error = json!({"type": "error", "name": name, "description": description});
            wire::write(to, TEXT, &json(&error)).await;
            if version.ends_at_an_error() {
                wire::cut(to).await;
            }
            return;
        }
        Step::Close(code) => {
            wire::write(to, CLOSE, &code.to_be_bytes()).await;
            return wire::cut(to).await;
        }
        Step::Endless(text) => {
            let token = json(&json!({"type": "chat_token", "content": text}));
            while wire::write(to, TEXT, &token).await {}
            return;
        }
        Step::Drip(text, every) => return wire::drip(to, &text, every).await,
        Step::Bytes(bytes) => {
            wire::bytes(to, &bytes).await;
            return;
        }
        Step::Hold(gate) => return gate.opened().await,
        Step::Cut => return wire::cut(to).await,
    };
    wire::write(to, first, &payload).await;
}
