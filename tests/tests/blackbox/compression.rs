//! Which answers are compressed, and which never.
use std::io::Read;

use e2e::{Gateway, http};
use flate2::read::GzDecoder;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The head of the answer in small letters, and the body with the chunks put together.
async fn ask(gateway: &Gateway, path: &str, accept: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is open");
    let answer = http::until_closed(&mut stream).await;
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let chunked = head.contains("transfer-encoding: chunked");
    (head, if chunked { unchunked(body) } else { body.to_vec() })
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|it| it == b"\r\n").expect("a chunk");
        let size = std::str::from_utf8(&body[..end]).expect("a number");
        let size = usize::from_str_radix(size, 16).expect("a number");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

fn is_compressed(head: &str) -> bool {
    head.contains("content-encoding: gzip")
}

async fn publish(gateway: &Gateway, count: usize) {
    for n in 0..count {
        let record = json!({"channel": "c", "payload": {"n": n, "text": "again and again"}});
        let headers = [("Content-Type", "application/json")];
        let body = record.to_string();
        let path = "/api/v1/publish";
        let answer = http::send(gateway.address(), "POST", path, &headers, body.as_bytes()).await;
        assert_eq!(answer.expect("it answers").status, 200);
    }
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_accepts_it() {
    let gateway = Gateway::start(&[]).await;
    publish(&gateway, 30).await;
    // The more there is to count, the longer are the metrics.
    let mut client = e2e::Client::connect(&gateway).await;
    client.send_text("nonsense").await;
    client.until_pong().await;
    http::knock(gateway.address(), &[("Authorization", "Bearer x")]).await;
    for path in ["/openapi.json", "/metrics", "/api/v1/topics/c/history"] {
        let (plain_head, plain) = ask(&gateway, path, "identity").await;
        let (head, body) = ask(&gateway, path, "br, gzip").await;
        assert!(is_compressed(&head) && !is_compressed(&plain_head), "{head} {plain_head}");
        assert!([head, plain_head].iter().all(|it| it.contains("accept-encoding")), "Vary: {path}");
        let mut text = String::new();
        GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        assert!(body.len() < plain.len() / 2, "{path}: {} of {}", body.len(), plain.len());
        if path != "/metrics" {
            assert_eq!(text.as_bytes(), plain, "{path}");
        }
    }
}

#[tokio::test]
async fn short_answers_streams_and_lists_of_people_are_not_compressed() {
    let gateway = Gateway::start(&[]).await;
    publish(&gateway, 1).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(e2e::Client::connect(&gateway).await);
    }
    for path in ["/api/v1/topics/c/history", "/api/v1/topics", "/api/v1/sessions", "/", "/nothing"]
    {
        let (head, _) = ask(&gateway, path, "gzip").await;
        assert!(!is_compressed(&head), "{path} {head}");
    }
    let accept = [("Accept-Encoding", "gzip")];
    let stream = http::get(gateway.address(), "/events?topic=c", &accept).await.unwrap();
    assert_eq!((stream.status, stream.header("content-encoding")), (200, None));
    let knock = http::knock(gateway.address(), &accept).await;
    assert_eq!((knock.status, knock.header("content-encoding")), (101, None));
}
