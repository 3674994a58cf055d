//! As much of an HTTP/1.1 client as the tests need, so that nothing tidies up what is sent.
use std::{
    fmt::Display,
    io,
    net::{IpAddr, SocketAddr},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

use crate::patience::within;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// Status, media type and problem type of an RFC 9457 answer. The body must repeat the status.
    pub fn problem(&self) -> (u16, String, String) {
        let body = self.json();
        assert_eq!(body["status"], self.status, "{self:?}");
        assert!(body["title"].is_string(), "a problem has a title: {self:?}");
        let media = self.header("content-type").unwrap_or_default().to_owned();
        (self.status, media, body["type"].as_str().unwrap_or_default().to_owned())
    }
}

/// The headers of a good handshake.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

pub async fn get(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    request(at, "GET", path, headers).await
}

/// The same, with the bytes of the body, which may be no text.
pub async fn get_bytes(
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<(Response, Vec<u8>)> {
    let mut stream = BufReader::new(TcpStream::connect(at).await?);
    stream.write_all(head(at, "GET", path, headers).as_bytes()).await?;
    within("an HTTP response", response_bytes(&mut stream)).await
}

/// Asks from another address of this machine.
pub async fn get_from(
    from: IpAddr,
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = BufReader::new(socket.connect(at).await?);
    stream.write_all(head(at, "GET", path, headers).as_bytes()).await?;
    within("an HTTP response", response(&mut stream)).await
}

/// Asks for a WebSocket at `/ws` with these further headers, and keeps the answer only.
pub async fn knock(at: SocketAddr, headers: &[(&str, &str)]) -> Response {
    let all: Vec<_> = HANDSHAKE.iter().chain(headers).copied().collect();
    get(at, "/ws", &all).await.expect("the gateway answers")
}

pub async fn request(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    request_with(at, method, path, headers, &[]).await
}

/// Sends a request with a body, whose length is told.
pub async fn send(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let length = body.len().to_string();
    let all: Vec<_> = headers.iter().copied().chain([("Content-Length", &*length)]).collect();
    request_with(at, method, path, &all, body).await
}

/// Sends a request as it is, and reads the answer.
pub async fn exchange(at: SocketAddr, request: &str) -> io::Result<Response> {
    exchange_over(&mut TcpStream::connect(at).await?, request).await
}

/// The same over a connection that there is.
pub async fn exchange_over(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> io::Result<Response> {
    stream.write_all(request.as_bytes()).await?;
    within("an HTTP response", response(&mut BufReader::new(stream))).await
}

/// A GET of this path.
pub async fn get_over(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    exchange_over(stream, &head("localhost", "GET", path, headers)).await
}

/// How a connection ends that sends nothing more: with what was read before, once the gateway has
/// closed it.
pub async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    // A reset is an end as well.
    within("the end of the connection", stream.read_to_end(&mut read)).await.ok();
    read
}

/// Sends a request and these bytes after its head.
pub async fn request_with(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    bytes: &[u8],
) -> io::Result<Response> {
    let mut stream = BufReader::new(TcpStream::connect(at).await?);
    let request = [head(at, method, path, headers).as_bytes(), bytes].concat();
    stream.write_all(&request).await?;
    if method == "HEAD" {
        return within("an HTTP response", response_head(&mut stream)).await;
    }
    within("an HTTP response", response(&mut stream)).await
}

/// Sends a POST, and `piece` over and over until it is answered. Gives the answer, and how many bytes
/// went out before it came.
pub async fn flood(
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    begin: &[u8],
    piece: &[u8],
) -> io::Result<(Response, usize)> {
    let (reader, mut writer) = TcpStream::connect(at).await?.into_split();
    let mut reader = BufReader::new(reader);
    let begin = [head(at, "POST", path, headers).as_bytes(), begin].concat();
    writer.write_all(&begin).await?;
    let mut sent = begin.len();
    let pour = async {
        // Whether it is taken does not matter; the answer does.
        while writer.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
        std::future::pending::<()>().await;
    };
    let answer = within("an answer to a body without end", async {
        tokio::select! {
            answer = response(&mut reader) => answer,
            () = pour => unreachable!("it has no end"),
        }
    });
    Ok((answer.await?, sent))
}

/// Sends a POST and these bytes after its head, leaves, and waits for the gateway to leave as well.
pub async fn broken_off(
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    bytes: &[u8],
) -> io::Result<()> {
    let mut stream = TcpStream::connect(at).await?;
    let request = [head(at, "POST", path, headers).as_bytes(), bytes].concat();
    stream.write_all(&request).await?;
    stream.shutdown().await?;
    within("the end of the connection", stream.read_to_end(&mut Vec::new())).await?;
    Ok(())
}

pub fn head(host: impl Display, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut lines = vec![format!("{method} {path} HTTP/1.1"), format!("Host: {host}")];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.join("\r\n") + "\r\n\r\n"
}

/// Reads one response; the body as far as `Content-Length` says.
pub(crate) async fn response(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Response> {
    let (mut answer, body) = response_bytes(stream).await?;
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

async fn response_bytes(
    stream: &mut (impl AsyncBufReadExt + Unpin),
) -> io::Result<(Response, Vec<u8>)> {
    let answer = response_head(stream).await?;
    let length = answer.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((answer, body))
}

async fn response_head(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Response> {
    let status = line(stream).await?;
    let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = code.ok_or_else(|| io::Error::other(format!("not HTTP: {status:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    Ok(Response { status, headers, body: String::new() })
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}
