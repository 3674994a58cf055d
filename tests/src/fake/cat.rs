//! A Cheshire Cat that answers as it is told, and remembers who asked what.
mod connection;
mod script;
mod shape;
mod wire;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    net::{TcpListener, tcp::OwnedWriteHalf},
    sync::Mutex as AsyncMutex,
    task::JoinSet,
};

pub use self::{
    script::{Gate, Step},
    shape::Version,
    wire::Frame,
};
use crate::patience::eventually;

/// The server. Dropping it, or [`Cat::die`], ends it and all its connections.
#[derive(Debug)]
pub struct Cat {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// A question that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The last segment of the path, percent-decoded.
    pub user: String,
    pub text: String,
    /// Which of [`Cat::connections`] it came on.
    pub connection: usize,
}

/// A connection that asked to be let in.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The request as it came, up to the empty line.
    pub head: String,
    pub user: String,
    pub frames: Vec<Frame>,
    /// When its end was seen, and the code of its close frame if there was one (1005: no code).
    pub closed: Option<(Instant, Option<u16>)>,
}

#[derive(Debug)]
struct Shared {
    version: Version,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Answer the handshake with this status.
    refuse: Option<u16>,
    /// Leave the handshake without an answer.
    is_deaf: bool,
    by_question: HashMap<String, Vec<Step>>,
    queue: VecDeque<Vec<Step>>,
    calls: Vec<Call>,
    knocks: usize,
    connections: Vec<Connection>,
    writers: Vec<Writer>,
    newest: HashMap<String, usize>,
    open: usize,
    most: usize,
}

type Writer = Arc<AsyncMutex<OwnedWriteHalf>>;

// === impl Cat ===

impl Cat {
    pub async fn start() -> Self {
        Self::of(Version::V1_9).await
    }

    pub async fn of(version: Version) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), version).await
    }

    /// Listens here, so that a Cat can come back where another one died.
    pub async fn at(address: SocketAddr, version: Version) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { version, state: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(connection::accept(listener, Arc::clone(&shared)));
        Self { address, shared, tasks }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Sets the steps for each time this is asked, in place of [`Step::answer`].
    pub fn on(&self, question: &str, steps: impl Into<Vec<Step>>) {
        self.shared.state().by_question.insert(question.to_owned(), steps.into());
    }

    /// Queues the steps for the next question for which nothing else is set.
    pub fn next(&self, steps: impl Into<Vec<Step>>) {
        self.shared.state().queue.push_back(steps.into());
    }

    /// From now on, answers every handshake with this status.
    pub fn refuse(&self, status: impl Into<Option<u16>>) {
        self.shared.state().refuse = status.into();
    }

    /// From now on, takes connections and says nothing, not even to the handshake.
    pub fn deafen(&self) {
        self.shared.state().is_deaf = true;
    }

    /// Writes a text frame to a connection, which nobody asked for.
    pub async fn say(&self, connection: usize, text: &str) {
        let writer = Arc::clone(&self.shared.state().writers[connection]);
        wire::write(&writer, wire::TEXT, text.as_bytes()).await;
    }

    /// Pings a connection.
    pub async fn ping(&self, connection: usize) {
        let writer = Arc::clone(&self.shared.state().writers[connection]);
        wire::write(&writer, wire::PING, b"still there?").await;
    }

    /// Ends a connection from this side, without a close frame.
    pub async fn cut(&self, connection: usize) {
        let writer = Arc::clone(&self.shared.state().writers[connection]);
        wire::cut(&writer).await;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// Returns the questions received, in order.
    pub fn questions(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.text).collect()
    }

    /// Returns the accepted connections, in order.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.state().connections.clone()
    }

    /// TCP connections that were made, those that were refused included.
    pub fn knocks(&self) -> usize {
        self.shared.state().knocks
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.state().open
    }

    /// Connections that were open at once.
    pub fn most(&self) -> usize {
        self.shared.state().most
    }

    /// Waits until so many questions have arrived.
    pub async fn asked(&self, count: usize) {
        let what = format!("{count} questions");
        eventually(&what, async || (self.calls().len() >= count).then_some(())).await;
    }

    /// Waits until so many connections are open.
    pub async fn has_open(&self, count: usize) {
        let what = format!("{count} open connections");
        eventually(&what, async || (self.open() == count).then_some(())).await;
    }

    /// Waits for the end of a connection: when, and the code of the close frame if there was one.
    pub async fn closed(&self, connection: usize) -> (Instant, Option<u16>) {
        let what = format!("the end of connection {connection}");
        eventually(&what, async || self.connections().get(connection)?.closed).await
    }

    /// Waits until a connection has sent a frame with this first byte.
    pub async fn heard(&self, connection: usize, first: u8) {
        let what = format!("a frame {first:#x} on connection {connection}");
        let look = async || {
            let all = self.connections();
            all.get(connection)?.frames.iter().any(|it| it.first == first).then_some(())
        };
        eventually(&what, look).await;
    }

    /// Ends at once, with all connections.
    pub async fn die(mut self) -> SocketAddr {
        self.tasks.shutdown().await;
        self.address
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Connection ===

impl Connection {
    /// The first line of the request.
    pub fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// A header of the request; the name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut its = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        its.next().map(|(_, value)| value.trim())
    }

    /// The text frames that came.
    pub fn texts(&self) -> Vec<&str> {
        let texts = self.frames.iter().filter(|it| it.first == wire::TEXT);
        texts.map(|it| std::str::from_utf8(&it.payload).expect("UTF-8")).collect()
    }
}
