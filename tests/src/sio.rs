//! A client of Socket.IO over either transport of Engine.IO, which sends what it is told to as it is.
use std::{collections::VecDeque, mem, net::SocketAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    Gateway, Raw,
    http::{self, Response},
    patience::within,
    raw::{BINARY, CLOSE, FIN, PING, PONG, TEXT, frame},
};

/// Between the packets of one body.
pub const SEPARATOR: char = '\u{1e}';

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    WebSocket,
    Polling,
}

#[derive(Debug)]
pub struct Sio {
    carrier: Carrier,
    /// Payload of the OPEN packet.
    pub hello: Value,
    /// Packets that arrived and are not looked at yet.
    early: VecDeque<String>,
    /// Events that asked for an acknowledgement.
    asked: u64,
    /// Whether pings are answered; otherwise they are packets like others.
    pub answers_pings: bool,
}

#[derive(Debug)]
enum Carrier {
    WebSocket(Raw),
    Polling(Polling),
}

/// A session that polls, each request on a connection of its own.
#[derive(Clone, Debug)]
pub struct Polling {
    at: SocketAddr,
    path: String,
}

/// How a connection ended: the close code and reason of a WebSocket, or status and body of what a
/// request was refused with.
pub type End = (u16, String);

// === impl Way ===

impl Way {
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Polling];
}

// === impl Polling ===

impl Polling {
    /// Opens a session, and gives what the server said.
    pub async fn open(
        at: SocketAddr,
        more: &str,
        headers: &[(&str, &str)],
    ) -> Result<(Self, Value), Response> {
        let path = format!("/socket.io/?EIO=4&transport=polling{more}");
        let answer = http::get(at, &path, headers).await.expect("the gateway answers");
        let hello = answer.body.strip_prefix('0').filter(|_| answer.status == 200);
        let Some(hello) = hello else { return Err(answer) };
        let hello: Value = serde_json::from_str(hello).expect("a handshake is JSON");
        Ok((Self::of(at, &hello), hello))
    }

    /// The session of this handshake.
    pub fn of(at: SocketAddr, hello: &Value) -> Self {
        let sid = hello["sid"].as_str().expect("a session has an id");
        Self { at, path: format!("/socket.io/?EIO=4&transport=polling&sid={sid}") }
    }

    /// Where it goes on as a WebSocket.
    pub fn upgrade_path(&self) -> String {
        self.path.replace("polling", "websocket")
    }

    pub async fn get(&self) -> Response {
        http::get(self.at, &self.path, &[]).await.expect("the gateway answers")
    }

    pub async fn post(&self, body: &[u8]) -> Response {
        self.request("POST", body).await
    }

    pub async fn request(&self, method: &str, body: &[u8]) -> Response {
        let sent = http::send(self.at, method, &self.path, &[], body).await;
        sent.expect("the gateway answers")
    }

    /// The packets of the next poll, which must be answered well.
    pub async fn packets(&self) -> Vec<String> {
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.split(SEPARATOR).map(str::to_owned).collect()
    }

    /// Posts packets, which must be taken.
    pub async fn send(&self, packets: &[&str]) {
        let answer = self.post(packets.join("\u{1e}").as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
}

// === impl Sio ===

impl Sio {
    /// A session in which nothing was said yet.
    pub async fn open(gateway: &Gateway, way: Way) -> Self {
        let opened = Self::open_with(gateway.address(), way, "", &[]).await;
        opened.unwrap_or_else(|answer| panic!("no session, but {answer:?}"))
    }

    /// The same with more in the query, such as `&token=T`, and with further headers.
    pub async fn open_with(
        at: SocketAddr,
        way: Way,
        more: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Response> {
        let (carrier, hello) = match way {
            Way::Polling => {
                let (polling, hello) = Polling::open(at, more, headers).await?;
                (Carrier::Polling(polling), hello)
            }
            Way::WebSocket => {
                let path = format!("/socket.io/?EIO=4&transport=websocket{more}");
                let mut raw = Raw::knock(at, &path, headers, &[]).await?;
                let (_, opening) = raw.frame().await.expect("an opening");
                let hello = opening.strip_prefix(b"0").expect("an opening");
                let hello = serde_json::from_slice(hello).expect("an opening is JSON");
                (Carrier::WebSocket(raw), hello)
            }
        };
        Ok(Self { carrier, hello, early: VecDeque::new(), asked: 0, answers_pings: true })
    }

    /// A connected guest, over a WebSocket.
    pub async fn guest(gateway: &Gateway) -> Self {
        Self::connected(gateway, Way::WebSocket, &json!({})).await
    }

    /// A connected client that says of itself that it is this user, over a WebSocket.
    pub async fn user(gateway: &Gateway, user: &str) -> Self {
        Self::connected(gateway, Way::WebSocket, &json!({"user_id": user})).await
    }

    /// A connected client that has been greeted.
    pub async fn connected(gateway: &Gateway, way: Way, auth: &Value) -> Self {
        let mut client = Self::open(gateway, way).await;
        client.sign_in(auth).await;
        client
    }

    /// Connects, reads the greetings, and gives the id of the client.
    pub async fn sign_in(&mut self, auth: &Value) -> String {
        self.send(&format!("40{auth}")).await;
        let packet = self.packet().await;
        let sid = packet.strip_prefix("40").unwrap_or_else(|| panic!("not let in: {packet}"));
        let sid: Value = serde_json::from_str(sid).expect("JSON");
        while self.event().await.0 != "status" {}
        sid["sid"].as_str().expect("an id").to_owned()
    }

    // === what it sends ===

    /// Sends one packet of Engine.IO.
    pub async fn send(&mut self, packet: &str) {
        match &mut self.carrier {
            Carrier::WebSocket(raw) => raw.send(&frame(FIN | TEXT, packet.as_bytes())).await,
            Carrier::Polling(polling) => drop(polling.post(packet.as_bytes()).await),
        }
    }

    /// Leaves the namespace, and waits until the gateway knows.
    pub async fn leave(&mut self) {
        self.send("41").await;
        if let Carrier::WebSocket(raw) = &mut self.carrier {
            raw.send(&frame(FIN | PING, b"")).await;
            while raw.frame().await.expect("the connection is open").0 & 0x0F != PONG {}
        }
    }

    /// Sends packets at once: in one write, or in one body.
    pub async fn send_all(&mut self, packets: &[String]) {
        match &mut self.carrier {
            Carrier::WebSocket(raw) => {
                let frames = packets.iter().map(|it| frame(FIN | TEXT, it.as_bytes()));
                raw.send(&frames.collect::<Vec<_>>().concat()).await;
            }
            Carrier::Polling(polling) => {
                let packets: Vec<_> = packets.iter().map(String::as_str).collect();
                polling.send(&packets).await;
            }
        }
    }

    /// Sends an attachment.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        match &mut self.carrier {
            Carrier::WebSocket(raw) => raw.send(&frame(FIN | BINARY, bytes)).await,
            Carrier::Polling(polling) => {
                polling.send(&[&format!("b{}", STANDARD.encode(bytes))]).await;
            }
        }
    }

    /// The WebSocket, for what only bytes can say.
    pub fn raw(&mut self) -> &mut Raw {
        match &mut self.carrier {
            Carrier::WebSocket(raw) => raw,
            Carrier::Polling(_) => panic!("it polls"),
        }
    }

    pub async fn emit(&mut self, name: &str, payload: &Value) {
        self.send(&format!("42{}", json!([name, payload]))).await;
    }

    /// Sends an event and gives what it is acknowledged with; what comes before is kept for later.
    pub async fn ask(&mut self, name: &str, payload: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&format!("42{id}{}", json!([name, payload]))).await;
        let begin = format!("43{id}");
        let mut before = mem::take(&mut self.early);
        loop {
            let packet = self.packet().await;
            let list = packet.strip_prefix(&begin).filter(|it| it.starts_with('['));
            if let Some(list) = list {
                before.append(&mut self.early);
                self.early = before;
                return serde_json::from_str(list).expect("JSON");
            }
            before.push_back(packet);
        }
    }

    // === what it reads ===

    /// The next packet of Engine.IO, or how the connection ended.
    pub async fn try_packet(&mut self) -> Result<String, End> {
        // Pings come all the time, also to who waits in vain.
        within("a packet", self.next_packet()).await
    }

    async fn next_packet(&mut self) -> Result<String, End> {
        loop {
            let packet = match self.early.pop_front() {
                Some(packet) => packet,
                None => match &mut self.carrier {
                    Carrier::WebSocket(raw) => text(raw).await?,
                    Carrier::Polling(polling) => {
                        let answer = polling.get().await;
                        if answer.status != 200 {
                            return Err((answer.status, answer.body));
                        }
                        self.early.extend(answer.body.split(SEPARATOR).map(str::to_owned));
                        continue;
                    }
                },
            };
            if packet == "2" && self.answers_pings {
                self.send("3").await;
            } else {
                return Ok(packet);
            }
        }
    }

    pub async fn packet(&mut self) -> String {
        let packet = self.try_packet().await;
        packet.unwrap_or_else(|end| panic!("ended with {end:?} instead of a packet"))
    }

    /// The next packet, which must be an event: its name and its argument.
    pub async fn event(&mut self) -> (String, Value) {
        let packet = self.packet().await;
        let event = packet.strip_prefix("42").and_then(|it| serde_json::from_str(it).ok());
        event.unwrap_or_else(|| panic!("no event with one argument: {packet}"))
    }

    /// The next packet, which must be an event: its name, its argument, and its offset if it has one.
    pub async fn shown(&mut self) -> (String, Value, Option<String>) {
        let packet = self.packet().await;
        let list = packet.strip_prefix("42").and_then(|it| serde_json::from_str(it).ok());
        let list: Vec<Value> = list.unwrap_or_else(|| panic!("no event: {packet}"));
        let text = |it: &Value| it.as_str().expect("a text").to_owned();
        match list.as_slice() {
            [name, argument] => (text(name), argument.clone(), None),
            [name, argument, offset] => (text(name), argument.clone(), Some(text(offset))),
            _ => panic!("no event with one argument: {packet}"),
        }
    }

    /// The argument of the next event, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Value {
        let (found, argument) = self.event().await;
        assert_eq!(found, name, "{argument}");
        argument
    }

    /// The events up to the next of this name, and it.
    pub async fn until(&mut self, name: &str) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        while events.last().is_none_or(|(last, _): &(String, _)| last != name) {
            events.push(self.event().await);
        }
        events
    }

    /// Everything before the answer to an event without a meaning.
    pub async fn settled(&mut self) -> Vec<String> {
        assert_eq!(self.ask("nothing-of-that-name", &Value::Null).await, json!([]));
        mem::take(&mut self.early).into()
    }

    /// Reads until the connection ends, and gives what came before and how it ended.
    pub async fn ended(&mut self) -> (Vec<String>, End) {
        let mut packets = Vec::new();
        loop {
            match self.try_packet().await {
                Ok(packet) => packets.push(packet),
                Err(end) => return (packets, end),
            }
        }
    }
}

/// The next text of a WebSocket, or how it ended.
async fn text(raw: &mut Raw) -> Result<String, End> {
    loop {
        let Some((first, payload)) = raw.frame().await else {
            return Err((1006, "end of stream".to_owned()));
        };
        match first & 0x0F {
            TEXT => return Ok(String::from_utf8(payload).expect("text is UTF-8")),
            CLOSE => {
                let (code, reason) = payload.split_first_chunk().unwrap_or((&[0, 0], &[]));
                let reason = String::from_utf8_lossy(reason).into_owned();
                return Err((u16::from_be_bytes(*code), reason));
            }
            other => assert_ne!(other, BINARY, "nothing binary is sent"),
        }
    }
}
