//! How long connections live that do nothing, and what ends those that only listen.
use e2e::{Gateway, eventually, http};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends a request, and that nothing more will come; then reads all that is said.
async fn half(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.expect("the gateway takes it");
    stream.write_all(request.as_bytes()).await.expect("the gateway takes it");
    stream.shutdown().await.expect("the gateway takes it");
    String::from_utf8(http::until_closed(&mut stream).await).expect("text")
}

#[tokio::test]
async fn a_head_has_to_arrive_sooner_than_the_next_request() {
    let settings = [("server.header_timeout", "300ms"), ("server.idle_timeout", "1h")];
    let gateway = Gateway::start(&settings).await;
    let mut silent = TcpStream::connect(gateway.address()).await.unwrap();
    let mut idle = TcpStream::connect(gateway.address()).await.unwrap();
    assert_eq!(http::get_over(&mut idle, "/healthz", &[]).await.unwrap().status, 200);
    let mut slow = TcpStream::connect(gateway.address()).await.unwrap();
    assert_eq!(http::get_over(&mut slow, "/healthz", &[]).await.unwrap().status, 200);
    slow.write_all(b"GET /hea").await.unwrap();
    assert_eq!(http::until_closed(&mut silent).await, b"", "the first request is late");
    assert_eq!(http::until_closed(&mut slow).await, b"", "the head takes too long");
    let answer = http::get_over(&mut idle, "/healthz", &[]).await.unwrap();
    assert_eq!(answer.status, 200, "the one that did nothing");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let gateway = Gateway::start(&[("server.idle_timeout", "300ms")]).await;
    let mut idle = TcpStream::connect(gateway.address()).await.unwrap();
    assert_eq!(http::get_over(&mut idle, "/healthz", &[]).await.unwrap().status, 200);
    assert_eq!(http::until_closed(&mut idle).await, b"");
}

#[tokio::test]
async fn who_sends_no_more_gets_its_answer() {
    let gateway = Gateway::start(&[]).await;
    let said = half(&gateway, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("ok"), "{said}");
    let question = r#"{"user_id":"7","message":"hello"}"#;
    let length = question.len();
    let request = format!(
        "POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{question}"
    );
    let said = half(&gateway, &request).await;
    assert!(said.contains("HTTP/1.1 200 ") && said.contains("\"response\""), "{said}");
}

#[tokio::test]
async fn who_sends_no_more_may_wait_long_for_its_answer() {
    let gateway = Gateway::start(&[("rooms.ping_interval", "1s")]).await;
    let poll = "/socket.io/?EIO=4&transport=polling";
    let opened = gateway.get(poll).await.body;
    let (_, rest) = opened.split_once("\"sid\":\"").expect("a session");
    let (id, _) = rest.split_once('"').expect("its id");
    let request = format!("GET {poll}&sid={id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let said = half(&gateway, &request).await;
    let (_, answer) = said.rsplit_once("HTTP/1.1 200 ").unwrap_or_else(|| panic!("{said}"));
    assert!(answer.ends_with("\r\n\r\n2"), "a ping: {answer}");
}

#[tokio::test]
async fn a_stream_goes_on_for_who_sends_no_more_and_ends_for_who_left() {
    let gateway = Gateway::start(&[]).await;
    let request = "GET /events?topic=c HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    let mut until = async |what: &str| {
        while !said.contains(what) {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "it goes on: {said}");
            said += std::str::from_utf8(bytes.get(..read).unwrap()).unwrap();
        }
    };
    until("retry: ").await;
    // The sign of life that finds out who is gone; this one is not.
    until(":\n\n").await;
    let body = br#"{"channel":"c","payload":"hello"}"#;
    let json = [("Content-Type", "application/json")];
    let at = gateway.address();
    let answer = http::send(at, "POST", "/api/v1/publish", &json, body).await.unwrap();
    assert_eq!(answer.status, 200);
    until("hello").await;
    drop(stream);
    eventually("the end of the session", async || {
        let open = gateway.metrics().await.sum("quadrille_connections", &[("protocol", "sse")]);
        (open == 0).then_some(())
    })
    .await;
}
