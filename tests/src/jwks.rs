//! An identity provider, as far as its keys are concerned: whatever it is told to answer.
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// `None` leaves requests without an answer.
    answer: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Provider {
    /// A provider of these keys.
    pub async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let mut serving = JoinSet::new();
        let provider = Arc::clone(&shared);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&provider)));
            }
        });
        let provider = Self { address, shared, _serving: serving };
        provider.publish(keys);
        provider
    }

    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(SeqCst)
    }

    pub fn publish(&self, keys: &[Value]) {
        self.answer("200 OK", "", &json!({"keys": keys}).to_string());
    }

    /// Answers so from now on; `headers` end with a line break each.
    pub fn answer(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.set(Some(format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n\
             {body}"
        )));
    }

    /// Answers nothing from now on.
    pub fn hang(&self) {
        self.set(None);
    }

    fn set(&self, answer: Option<String>) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

async fn answer(stream: TcpStream, provider: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        line.clear();
    }
    provider.asked.fetch_add(1, SeqCst);
    let answer = provider.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match answer {
        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
        None => std::future::pending().await,
    }
}
