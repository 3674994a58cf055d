//! A client of rooms in another language, which does what it is told line by line.
use std::path::Path;

use serde_json::{Value, json};

use crate::{
    Gateway,
    program::{Program, prepared},
};

/// Which client of Socket.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// The one that pages of 2024 load.
    Js47,
    /// The newest in JavaScript.
    Js,
    Python,
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    WebSocket,
    Polling,
    /// Polling first, and then a WebSocket.
    Upgrade,
}

/// Kind of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Conversations, with a token.
    Manager,
    /// Named rooms, without.
    Service,
}

#[derive(Debug)]
pub struct Puppet {
    program: Program,
    pub library: Library,
    pub way: Way,
    /// Lines that have been looked at for answers, and for events.
    answers: usize,
    events: usize,
}

/// Something that happened: its name and its data.
pub type Happened = (String, Value);

// === impl Library ===

impl Library {
    /// Whether events are told in the order in which they came. The client in Python gives each a
    /// thread of its own.
    pub fn is_ordered(self) -> bool {
        self != Self::Python
    }

    /// Reason that a client reports after the server disconnected it.
    pub fn sent_away(self) -> &'static str {
        if self == Self::Python { "server disconnect" } else { "io server disconnect" }
    }

    /// Reason that a client reports after it disconnected itself.
    pub fn left(self) -> &'static str {
        if self == Self::Python { "client disconnect" } else { "io client disconnect" }
    }
}

impl Way {
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Polling, Self::Upgrade];

    /// Transport after any upgrade.
    pub fn transport(self) -> &'static str {
        if self == Self::Polling { "polling" } else { "websocket" }
    }
}

// === impl Puppet ===

impl Puppet {
    pub fn start(gateway: &Gateway, library: Library, way: Way, page: Page) -> Self {
        let url = format!("http://{}", gateway.address());
        let transports = match way {
            Way::WebSocket => "default",
            Way::Polling => "polling",
            Way::Upgrade => "polling,websocket",
        };
        let page = match page {
            Page::Manager => "manager",
            Page::Service => "service",
        };
        let args = [&*url, transports, page];
        let program = match library {
            Library::Js47 => node("socket.io-client-4.7", &args),
            Library::Js => node("socket.io-client", &args),
            Library::Python => {
                let python = prepared("QUADRILLE_TEST_PYTHON_ROOMS");
                Program::start_with(Path::new(&python), "py/rooms.py", &args, &[])
            }
        };
        Self { program, library, way, answers: 0, events: 0 }
    }

    /// Has it do something, and gives what came of it. `args` is a list.
    pub async fn call(&mut self, method: &str, args: Value) -> Value {
        let mut command = vec![Value::from(method)];
        command.extend(args.as_array().expect("a list").iter().cloned());
        self.program.tell(&Value::from(command).to_string()).await;
        let (line, next) = self.program.line_from(self.answers, "{\"answer\":").await;
        self.answers = next;
        json(&line)["answer"].take()
    }

    /// Emits an event, and gives what it is acknowledged with.
    pub async fn ask(&mut self, event: &str, payload: Value) -> Value {
        self.call("ask", json!([event, payload])).await
    }

    pub async fn emit(&mut self, event: &str, payload: Value) {
        self.call("emit", json!([event, payload])).await;
    }

    /// Has it tell of these events. What happens to the connection is told anyway.
    pub async fn hear(&mut self, names: &[&str]) {
        self.call("hear", json!(names)).await;
    }

    /// Connects, and gives what happens until it is connected in the way it should be and all of
    /// `names` have come.
    pub async fn connect(&mut self, args: Value, names: &[&str]) -> Vec<Happened> {
        self.call("connect", args).await;
        self.connected(names).await
    }

    pub async fn connected(&mut self, names: &[&str]) -> Vec<Happened> {
        let mut wanted = [&["connect"], names].concat();
        if self.way == Way::Upgrade && self.library != Library::Python {
            wanted.push("upgrade");
        }
        let all = self.all(&wanted).await;
        let transport = self.call("transport", json!([])).await;
        assert_eq!(transport, self.way.transport());
        all
    }

    /// The next thing that happens.
    pub async fn next(&mut self) -> Happened {
        let (line, next) = self.program.line_from(self.events, "{\"event\":").await;
        self.events = next;
        let mut line = json(&line);
        (line["event"].as_str().expect("a name").to_owned(), line["data"].take())
    }

    /// The next thing that happens, which is this.
    pub async fn expect(&mut self, expected: &str) -> Value {
        let (name, data) = self.next().await;
        assert_eq!(name, expected, "{data}");
        data
    }

    /// All that happens until each of `names` has.
    pub async fn all(&mut self, names: &[&str]) -> Vec<Happened> {
        let mut happened = Vec::<Happened>::new();
        while !names.iter().all(|name| happened.iter().any(|(it, _)| it == name)) {
            happened.push(self.next().await);
        }
        happened
    }

    /// Fails if something has happened that was not looked at. `stats` must be heard.
    pub async fn expect_nothing(&mut self) {
        self.call("emit", json!(["get_stats"])).await;
        self.expect("stats").await;
    }

    /// Lets it leave, and waits for its good end.
    pub async fn end(mut self) {
        self.call("disconnect", json!([])).await;
        assert_eq!(self.expect("disconnect").await["reason"], self.library.left());
        self.program.lines().await;
    }
}

/// The data of the first `name`.
pub fn data<'a>(happened: &'a [Happened], name: &str) -> &'a Value {
    let found = happened.iter().find(|(it, _)| it == name);
    let Some((_, data)) = found else { panic!("no {name} in {happened:?}") };
    data
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
}

fn node(library: &str, args: &[&str]) -> Program {
    let modules = prepared("QUADRILLE_TEST_NODE_MODULES").to_string_lossy().into_owned();
    let args = [&[library], args].concat();
    Program::start_with(Path::new("node"), "js/rooms.cjs", &args, &[("NODE_PATH".into(), modules)])
}
