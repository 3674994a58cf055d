//! Streamed bytes arrive without delay.
use e2e::{
    Client, Gateway, http,
    raw::Raw,
    sio::{Sio, Way},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::proxy::{Kind, Proxy};

/// Reads until `what` has come, of an answer that goes on after it.
async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut said = String::new();
    while !said.contains(what) {
        let mut bytes = [0; 4096];
        let read = e2e::patience::within(what, stream.read(&mut bytes)).await;
        let read = read.expect("the proxy answers");
        assert!(read > 0, "no {what}: {said}");
        said += &String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
    }
    said
}

async fn publish(gateway: &Gateway) {
    let json = [("Content-Type", "application/json")];
    let body = br#"{"channel":"c","payload":"hello"}"#;
    let answer = http::send(gateway.address(), "POST", "/api/v1/publish", &json, body).await;
    assert_eq!(answer.expect("the gateway answers").status, 200);
}

#[tokio::test]
async fn events_arrive_while_the_stream_goes_on() {
    let gateway = Gateway::start(&[]).await;
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, &gateway).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let request =
            "GET /events?topic=c HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        until(&mut stream, "retry: ").await;
        publish(&gateway).await;
        until(&mut stream, "hello").await;
    }
}

#[tokio::test]
async fn a_reply_is_streamed_and_ends() {
    let gateway = Gateway::start(&[]).await;
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, &gateway).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let question = r#"{"user_id":"7","message":"hello"}"#;
        let length = question.len();
        let request = format!(
            "POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: text/event-stream\r\nContent-Length: {length}\r\n\r\n{question}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let said = until(&mut stream, "event: end").await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{kind:?}: {said}");
    }
}

#[tokio::test]
async fn a_connection_of_socket_io_begins_with_polling_and_becomes_a_websocket() {
    let gateway = Gateway::start(&[]).await;
    for kind in Kind::WHOLE {
        let proxy = Proxy::start(kind, &gateway).await;
        for way in [Way::Polling, Way::WebSocket] {
            let opened = Sio::open_with(proxy.address(), way, "", &[]).await;
            assert!(opened.is_ok(), "{kind:?} {way:?}");
        }
    }
}

#[tokio::test]
async fn a_websocket_is_upgraded_and_carries_frames_both_ways() {
    let gateway = Gateway::start(&[]).await;
    for kind in Kind::WHOLE {
        let proxy = Proxy::start(kind, &gateway).await;
        let mut client = Client::open_with(proxy.address(), None, &[]).await.unwrap();
        client.subscribe("c").await;
        publish(&gateway).await;
        client.until_pong().await;
        assert!(Raw::knock(proxy.address(), "/chat/a", &[], &[]).await.is_ok(), "{kind:?}");
    }
}
