//! A refusal that comes before the body was read reaches its client, who may look only after it has
//! sent everything.
use std::net::SocketAddr;

use e2e::{Gateway, http, scratch::Scratch, tls, token};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

const SIZE: usize = 5_000_000;

fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// Sends everything, and only then reads the status.
async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> u16 {
    stream.write_all(request).await.expect("all of it can be sent");
    stream.flush().await.expect("all of it can be sent");
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.expect("there is an answer");
    let text = String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned();
    text.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{text:?}"))
}

async fn over_tcp(at: SocketAddr, request: &[u8]) -> u16 {
    status(TcpStream::connect(at).await.expect("it listens"), request).await
}

fn sized(path: &str, media: &str, more: &str) -> Vec<u8> {
    let headers = format!("Content-Type: {media}\r\nContent-Length: {SIZE}\r\n{more}");
    [head("POST", path, &headers).into_bytes(), vec![b'x'; SIZE]].concat()
}

fn chunked(path: &str, media: &str) -> Vec<u8> {
    let headers = format!("Content-Type: {media}\r\nTransfer-Encoding: chunked\r\n");
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
    let body = [chunk.repeat(SIZE / 0x10000), b"0\r\n\r\n".to_vec()].concat();
    [head("POST", path, &headers).into_bytes(), body].concat()
}

#[tokio::test]
async fn a_refusal_of_any_door_outlives_the_body_that_it_refuses() {
    let gateway = Gateway::start(&token::JWT).await;
    let at = gateway.address();
    let (json, form) = ("application/json", "multipart/form-data; boundary=x");
    let cases = [
        ("/api/v1/publish", json, 401),
        ("/send", json, 401),
        ("/api/v1/turns", json, 401),
        ("/messages", form, 401),
        ("/api/upload_file", form, 401),
        ("/api/v1/chat/workflows/a/upload", form, 401),
        ("/socket.io/?EIO=4&transport=polling&sid=none", "text/plain", 400),
        ("/events?topic=a", json, 405),
        ("/ws", json, 426),
        ("/nothing/here", json, 404),
        ("/healthz", json, 405),
    ];
    for (path, media, expected) in cases {
        assert_eq!(over_tcp(at, &sized(path, media, "")).await, expected, "{path}");
        assert_eq!(over_tcp(at, &chunked(path, media)).await, expected, "{path} in chunks");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_or_of_another_kind_is_refused_to_its_sender() {
    let gateway = Gateway::start(&[("limits.requests_per_second", "0")]).await;
    let at = gateway.address();
    for (path, media, expected) in [
        ("/api/v1/publish", "application/json", 413),
        ("/send", "application/json", 413),
        ("/send", "text/plain", 415),
        ("/api/v1/chat/workflows/a/upload", "multipart/form-data; boundary=x", 404),
    ] {
        assert_eq!(over_tcp(at, &sized(path, media, "")).await, expected, "{path} {media}");
    }
    let origin = sized("/send", "application/json", "Origin: https://evil.example\r\n");
    assert_eq!(over_tcp(at, &origin).await, 403);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(over_tcp(at, &sized("/ws", "text/plain", upgrade)).await, 405);
}

#[tokio::test]
async fn the_connection_goes_on_with_the_next_request() {
    let gateway = Gateway::start(&[]).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    for request in [sized("/nope", "text/plain", ""), chunked("/nope", "text/plain")] {
        stream.write_all(&request).await.unwrap();
        let answer = http::get_over(&mut stream, "/healthz", &[]).await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (404, None));
        let answer = http::exchange_over(&mut stream, "").await.unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
    }
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_is_refused_without_it() {
    let gateway = Gateway::start(&[]).await;
    let more = "Content-Length: 5000000\r\nExpect: 100-continue\r\n";
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(head("POST", "/nope", more).as_bytes()).await.unwrap();
    let answer = http::exchange_over(&mut stream, "").await.unwrap();
    assert_eq!(answer.status, 404);
    // As curl does after a second, whatever was said.
    let impatient = [head("POST", "/nope", more).into_bytes(), vec![b'x'; SIZE]].concat();
    assert_eq!(over_tcp(gateway.address(), &impatient).await, 404);
}

#[tokio::test]
async fn it_is_the_same_with_tls_and_over_a_unix_socket() {
    let (authority, home) = (tls::Authority::new(), Scratch::new());
    let [certificate, key] = authority.issue().write(&home);
    let socket = home.path().join("gateway.sock");
    let listen = format!(r#"["https://127.0.0.1:0", "unix:{}"]"#, socket.display());
    let settings = [
        ("server.listen", &*listen),
        ("server.tls.certificate", &*certificate),
        ("server.tls.key", &*key),
    ];
    let gateway = Gateway::start(&settings).await;
    let request = sized("/nope", "text/plain", "");
    let stream = authority.connect(gateway.address_of("https://")).await.unwrap();
    assert_eq!(status(stream, &request).await, 404, "TLS");
    let stream = UnixStream::connect(&socket).await.unwrap();
    assert_eq!(status(stream, &request).await, 404, "a unix socket");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_whatever_it_sends() {
    let gateway = Gateway::start(&[("limits.http_connections", "1")]).await;
    let mut first = TcpStream::connect(gateway.address()).await.unwrap();
    assert_eq!(http::get_over(&mut first, "/healthz", &[]).await.unwrap().status, 200);
    assert_eq!(over_tcp(gateway.address(), &sized("/send", "application/json", "")).await, 503);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_to_its_sender() {
    let gateway = Gateway::start(&[]).await;
    let request = head("GET", "/healthz", &format!("X: {}\r\n", "x".repeat(1 << 20)));
    assert_eq!(over_tcp(gateway.address(), request.as_bytes()).await, 431);
}
