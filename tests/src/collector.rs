//! A collector of traces: keeps what is posted to it.
use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::patience::within;

/// Collects until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    posted: watch::Receiver<Vec<Post>>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Debug)]
pub struct Post {
    /// Method and path.
    pub request: String,
    pub body: Vec<u8>,
}

impl Collector {
    /// One that answers with this status, or not at all.
    pub async fn start(status: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (keep, posted) = watch::channel(Vec::new());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let keep = keep.clone();
                connections.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(post) = read(&mut stream).await {
                        keep.send_modify(|all| all.push(post));
                        let Some(status) = status else { return std::future::pending().await };
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.ok();
                    }
                });
            }
        });
        Self { address, posted, _serving: serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posted.borrow().clone()
    }

    /// Waits until so much was posted.
    pub async fn posted(&self, count: usize) -> Vec<Post> {
        let mut posted = self.posted.clone();
        let enough = within("traces", posted.wait_for(|all| all.len() >= count)).await;
        enough.expect("the collector serves").clone()
    }
}

impl Post {
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.body.windows(bytes.len()).any(|it| it == bytes)
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_lowercase();
        if request.is_empty() {
            request.push_str(line.trim_end_matches(" http/1.1"));
        } else if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Post { request, body })
}
