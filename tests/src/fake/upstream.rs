//! An HTTP/1.1 server that plays scripts, byte by byte if need be, and remembers what it was asked.
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::eventually;

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Script>,
    /// For addresses with these folders first, instead.
    scripts: HashMap<String, Script>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    left: AtomicUsize,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// Steps that answer a request.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<Step>);

#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes as they are.
    Raw(Vec<u8>),
    /// A chunk of the body, which the reader gets in one piece.
    Chunk(Vec<u8>),
    Wait(Duration),
    /// The same chunk again and again.
    Endless(Vec<u8>),
    /// Nothing more until the other side leaves.
    Silence,
    /// The end of the body. The connection stays.
    End,
    /// The end of the connection.
    Cut,
    /// The end of the connection, by a TCP reset.
    Reset,
}

/// Fate of a connection after a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Close,
    Reset,
}

// === impl Script ===

impl Script {
    /// A whole response; `headers` end with a line break each.
    pub fn whole(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        Self(vec![Step::Raw([head, body.to_owned()].concat().into_bytes())])
    }

    pub fn json(body: &Value) -> Self {
        Self::whole("200 OK", "Content-Type: application/json\r\n", &body.to_string())
    }

    /// The begin of a stream of server-sent events.
    pub fn stream() -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        Self(vec![Step::Raw(head.into())])
    }

    /// A whole stream.
    pub fn sse(body: &str) -> Self {
        Self::stream().chunk(body).then(Step::End)
    }

    /// A whole stream, cut in two at a byte.
    pub fn split(body: &str, at: usize) -> Self {
        let (a, b) = body.as_bytes().split_at(at);
        [a, b].into_iter().fold(Self::stream(), Self::bytes).then(Step::End)
    }

    /// A whole stream, a byte at a time with a pause after each.
    pub fn slowly(body: &str, pause: Duration) -> Self {
        let bytes = body.as_bytes().chunks(1);
        let step = |it: Self, byte| it.bytes(byte).then(Step::Wait(pause));
        bytes.fold(Self::stream(), step).then(Step::End)
    }

    #[must_use]
    pub fn chunk(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        // An empty chunk would be the end.
        if bytes.is_empty() { self } else { self.then(Step::Chunk(bytes.to_vec())) }
    }

    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    async fn play(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<Next> {
        for step in &self.0 {
            match step {
                Step::Raw(bytes) => to.write_all(bytes).await?,
                Step::Chunk(bytes) => to.write_all(&chunk(bytes)).await?,
                Step::Wait(time) => sleep(*time).await,
                Step::Endless(bytes) => loop {
                    to.write_all(&chunk(bytes)).await?;
                },
                Step::Silence => std::future::pending().await,
                Step::End => to.write_all(b"0\r\n\r\n").await?,
                Step::Cut => return Ok(Next::Close),
                Step::Reset => return Ok(Next::Reset),
            }
        }
        Ok(Next::Stay)
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

// === impl Upstream ===

impl Upstream {
    /// An upstream that answers every request so.
    pub async fn start(script: Script) -> Self {
        let upstream = Self::of(HashMap::new()).await;
        upstream.play(script);
        upstream
    }

    /// An upstream with a script for each folder: what is asked at `/NAME` and below it.
    pub async fn of(scripts: HashMap<String, Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { scripts, ..Shared::default() });
        let mut serving = JoinSet::new();
        let upstream = Arc::clone(&shared);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                upstream.connections.fetch_add(1, SeqCst);
                connections.spawn(serve(stream, Arc::clone(&upstream)));
            }
        });
        Self { address, shared, _serving: serving }
    }

    /// Answers so from now on.
    pub fn play(&self, script: Script) {
        *lock(&self.shared.script) = script;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Waits until the other side has left in the middle of so many answers.
    pub async fn left(&self, count: usize) {
        let left = async || (self.shared.left.load(SeqCst) >= count).then_some(());
        eventually("the other side to leave", left).await;
    }

    /// Waits for the first request.
    pub async fn is_asked(&self) {
        eventually("a request", async || (!self.asked().is_empty()).then_some(())).await;
    }
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).expect("a TCP socket");
    let next = {
        let (from, mut to) = stream.split();
        let mut from = BufReader::new(from);
        loop {
            let Ok(Some(asked)) = request(&mut from).await else { break Next::Close };
            let folder = asked.path.split('/').nth(1).unwrap_or_default();
            let own = shared.scripts.get(folder).cloned();
            lock(&shared.asked).push(asked);
            let script = own.unwrap_or_else(|| lock(&shared.script).clone());
            // Nothing is sent during an answer, so what there is to read is the end.
            let next = tokio::select! {
                next = script.play(&mut to) => next.ok(),
                _ = from.fill_buf() => None,
            };
            match next {
                Some(Next::Stay) => {}
                Some(next) => break next,
                None => {
                    shared.left.fetch_add(1, SeqCst);
                    break Next::Close;
                }
            }
        }
    };
    if next == Next::Reset {
        stream.set_zero_linger().expect("a TCP socket");
    }
}

/// The next request; `None` at the end of the connection.
async fn request(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if from.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    assert!(line.starts_with("POST "), "{line:?}");
    let mut headers = Vec::new();
    loop {
        line.clear();
        from.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked { path, headers, body: Value::Null };
    let length = asked.header("content-length").and_then(|it| it.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    from.read_exact(&mut body).await?;
    asked.body = serde_json::from_slice(&body).map_err(io::Error::other)?;
    Ok(Some(asked))
}
