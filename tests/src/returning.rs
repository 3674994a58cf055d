//! A client of Socket.IO that comes back as the official one does: with the `pid` that it was given,
//! and the offset of the last event that it looked at.
use serde_json::{Value, json};

use crate::{Gateway, Sio, sio::Way};

#[derive(Debug)]
pub struct Returning {
    /// Nothing while the connection is lost.
    sio: Option<Sio>,
    auth: Value,
    pub sid: String,
    pub pid: Option<String>,
    pub offset: Option<String>,
}

impl Returning {
    pub async fn connect(gateway: &Gateway, way: Way, auth: Value) -> Self {
        let mut client = Self { sio: None, auth, sid: String::new(), pid: None, offset: None };
        assert!(!client.back(gateway, way).await, "nobody comes back who was not here");
        client
    }

    /// A connected guest, over a WebSocket.
    pub async fn guest(gateway: &Gateway) -> Self {
        Self::connect(gateway, Way::WebSocket, json!({})).await
    }

    /// Comes with another token from now on.
    pub fn with_auth(&mut self, auth: Value) {
        self.auth = auth;
    }

    /// Loses the connection.
    pub fn lose(&mut self) {
        self.sio = None;
    }

    /// Leaves the socket, but not the connection.
    pub async fn leave(&mut self) {
        self.sio().leave().await;
    }

    /// Connects again, and is greeted; tells whether it goes on as it was. A connection that is not
    /// lost is left open until then, and nothing more is read from it.
    pub async fn back(&mut self, gateway: &Gateway, way: Way) -> bool {
        let mut sio = Sio::open(gateway, way).await;
        let mut auth = json!({});
        if let Some(pid) = &self.pid {
            auth["pid"] = json!(pid);
        }
        if let Some(offset) = &self.offset {
            auth["offset"] = json!(offset);
        }
        let own = self.auth.as_object().expect("an object").clone();
        auth.as_object_mut().expect("an object").extend(own);
        sio.send(&format!("40{auth}")).await;
        let connected = connected(&sio.packet().await);
        while sio.event().await.0 != "status" {}
        let text = |name: &str| connected[name].as_str().map(str::to_owned);
        let pid = text("pid");
        let recovered = pid.is_some() && pid == self.pid;
        let sid = text("sid").expect("an id");
        assert_eq!(recovered, sid == self.sid, "as the same socket, or as another");
        (self.sio, self.sid, self.pid) = (Some(sio), sid, pid);
        recovered
    }

    pub fn sio(&mut self) -> &mut Sio {
        self.sio.as_mut().expect("it has a connection")
    }

    /// The next event, which is looked at.
    pub async fn event(&mut self) -> (String, Value) {
        let (name, argument, offset) = self.sio().shown().await;
        if offset.is_some() {
            self.offset = offset;
        }
        (name, argument)
    }

    /// The argument of the next event, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Value {
        let (found, argument) = self.event().await;
        assert_eq!(found, name, "{argument}");
        argument
    }

    /// Emits an event, waits for its acknowledgement, and gives what is said besides.
    pub async fn ask(&mut self, name: &str, payload: &Value) -> Value {
        self.sio().ask(name, payload).await
    }

    /// Joins a room of any kind.
    pub async fn join(&mut self, payload: &Value) {
        let answer = self.ask("join_room", payload).await;
        assert!(answer[0]["position"].is_string(), "{answer}");
        let (name, _) = self.event().await;
        assert!(["joined_room", "room_joined"].contains(&&*name), "{name}");
    }

    /// Nothing else was said.
    pub async fn expect_nothing(&mut self) {
        assert_eq!(self.sio().settled().await, [""; 0]);
    }
}

/// Reads the payload of a CONNECT packet.
pub fn connected(packet: &str) -> Value {
    let connected = packet.strip_prefix("40").and_then(|it| serde_json::from_str(it).ok());
    connected.unwrap_or_else(|| panic!("not let in: {packet}"))
}
