//! Clients that show no token where one is needed: what they hold is bounded, and shuts out nobody.
use std::time::Duration;

use e2e::{
    Gateway, Raw, Sio, eventually, http,
    raw::{CONTINUATION, FIN, TEXT, frame},
    sio::Way,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::neighbours::{User, pool, start};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Connections on which these bytes were sent, of more clients than strangers have places.
async fn flood(gateway: &Gateway, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
        // It may have made room for another by now.
        stream.write_all(bytes).await.ok();
        streams.push(stream);
    }
    streams
}

async fn healthy(gateway: &Gateway) {
    for path in ["/healthz", "/readyz"] {
        assert_eq!(gateway.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn pipelined_handshakes_on_one_connection_take_the_places_of_strangers_only() {
    let gateway = start(&[("limits.connections", "64")]).await;
    let before = gateway.rss_kib();
    let one = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let bytes = one.repeat(2000);
    let read = async {
        let (mut buffer, mut last, mut opened) = (vec![0; 1 << 16], 0, 0);
        while opened < 2000 {
            let read = reader.read(&mut buffer).await.expect("it goes on");
            assert!(read > 0, "after {opened}");
            // Each answer has one brace that opens an object after a `0`.
            for &byte in &buffer[..read] {
                opened += usize::from(last == b'0' && byte == b'{');
                last = byte;
            }
        }
    };
    let (sent, ()) = tokio::join!(writer.write_all(&bytes), read);
    sent.unwrap();
    let [used, size] = pool(&gateway, "sessions").await;
    assert!(used <= 4 && size == 64, "{used} of {size}");
    User::new("bob").works_at_every_door(&gateway).await;
    healthy(&gateway).await;
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "{grown} KiB for four sessions");
}

#[tokio::test]
async fn websockets_without_a_token_make_room_for_one_another() {
    let gateway = start(&[("limits.connections", "32")]).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Raw::knock(gateway.address(), WEBSOCKET, &[], &[]).await.expect("a place"));
    }
    let (code, reason) = open[0].closed().await;
    assert_eq!((code, &*reason), (3013, "too many connections without a token"));
    assert_eq!(pool(&gateway, "sessions").await, [2, 32]);
    User::new("bob").works_at_every_door(&gateway).await;
    // At the other doors there is no session without a token.
    for path in ["/ws", "/chat/x"] {
        let refused = Raw::knock(gateway.address(), path, &[], &[]).await.unwrap_err();
        assert_eq!(refused.status, 401, "{path}");
    }
    let refused = http::get(gateway.address(), "/events?topic=c1", &[]).await.unwrap();
    assert_eq!(refused.status, 401);
    healthy(&gateway).await;
}

#[tokio::test]
async fn idle_connections_and_half_heads_make_room() {
    let gateway = start(&[("limits.http_connections", "64")]).await;
    let (bob, half) = (User::new("bob"), b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX: ");
    let mut known = TcpStream::connect(gateway.address()).await.unwrap();
    let answer = http::get_over(&mut known, "/conversations", &bob.headers()).await.unwrap();
    assert_eq!(answer.status, 200);
    for bytes in [&b""[..], half] {
        let _held = flood(&gateway, 200, bytes).await;
        healthy(&gateway).await;
        bob.works_at_every_door(&gateway).await;
        let [used, size] = pool(&gateway, "http_connections").await;
        assert!(used <= 6 && size == 64, "{used} of {size}");
    }
    // A connection of somebody who is known did not make room.
    let answer = http::get_over(&mut known, "/conversations", &bob.headers()).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn bodies_are_not_waited_for_before_the_token_is_judged() {
    let gateway = start(&[("limits.http_connections", "64")]).await;
    let before = gateway.rss_kib();
    let routes = [
        "POST /api/v1/publish",
        "POST /send",
        "POST /api/v1/turns",
        "POST /conversations",
        "POST /messages",
        "POST /upload",
        "POST /chat/stream",
        "POST /api/v1/chat/workflows",
        "POST /api/v1/chat/bot/conversations",
        "POST /api/v1/chat/workflows/x/upload",
        "POST /api/v1/chat/workflows/x/runs",
        "POST /excel/search",
        "POST /nothing",
        "PUT /events",
    ];
    for route in routes {
        for kind in ["application/json", "multipart/form-data; boundary=x"] {
            let head = format!(
                "{route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
                 Content-Length: 900000\r\n\r\n{{\"message\":\""
            );
            let mut streams = flood(&gateway, 6, head.as_bytes()).await;
            let last = streams.last_mut().expect("six");
            let mut begin = [0; 12];
            let told = e2e::patience::within(route, last.read_exact(&mut begin)).await;
            told.unwrap_or_else(|err| panic!("{route}: {err}"));
            assert!(begin.starts_with(b"HTTP/1.1 4"), "{route}: {:?}", str::from_utf8(&begin));
        }
    }
    User::new("bob").works_at_every_door(&gateway).await;
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB");
}

#[tokio::test]
async fn half_messages_of_strangers_hold_a_bounded_number_of_bytes() {
    // Strangers may have 1 MiB together.
    let gateway = start(&[("limits.input_bytes", "16777216")]).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Raw::knock(gateway.address(), WEBSOCKET, &[], &[]).await.expect("a place"));
    }
    let before = gateway.rss_kib();
    let whole = frame(FIN | TEXT, &vec![b'4'; 900_000]);
    let fragments = [frame(TEXT, &vec![b'4'; 450_000]), frame(CONTINUATION, &vec![b'4'; 440_000])];
    for (n, raw) in open.iter_mut().enumerate() {
        let bytes = if n % 2 == 0 { whole[..890_000].to_vec() } else { fragments.concat() };
        raw.send(&bytes).await;
    }
    let held = eventually("bytes that are counted", async || {
        let [used, _] = pool(&gateway, "input").await;
        (used > 0).then_some(used)
    })
    .await;
    assert!(held <= 1 << 20, "{held} bytes");
    let mut refused = 0;
    for mut raw in open {
        let closed = tokio::time::timeout(Duration::from_millis(300), raw.closed()).await;
        refused += usize::from(closed.is_ok_and(|(code, _)| code == 1013));
    }
    assert!(refused >= 18, "{refused} of 20 were told to come back later");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
    // Nobody's packets are too large to sign in, whoever floods.
    User::new("bob").works_at_every_door(&gateway).await;
}

#[tokio::test]
async fn half_bodies_of_polling_strangers_hold_a_bounded_number_of_bytes() {
    let gateway = start(&[("limits.input_bytes", "16777216")]).await;
    let mut streams = Vec::new();
    for _ in 0..12 {
        let sio = Sio::open(&gateway, Way::Polling).await;
        let sid = sio.hello["sid"].as_str().expect("an id").to_owned();
        let head = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: 900000\r\n\r\n"
        );
        let bytes = [head.as_bytes(), &vec![b'4'; 800_000]].concat();
        streams.extend(flood(&gateway, 1, &bytes).await);
    }
    eventually("somebody to be refused", async || {
        let refused = [("pool", "input"), ("reason", "strangers")];
        let count = gateway.metrics().await.sum("quadrille_pool_refusals_total", &refused);
        (count > 0).then_some(())
    })
    .await;
    let [used, _] = pool(&gateway, "input").await;
    assert!(used <= 1 << 20, "{used} bytes");
    User::new("bob").works_at_every_door(&gateway).await;
}

#[tokio::test]
async fn guests_leave_places_to_those_who_sign_in() {
    let settings =
        [("rooms.guests", "always"), ("limits.connections", "64"), ("rooms.connect_timeout", "1h")];
    let gateway = start(&settings).await;
    let mut guests = Vec::new();
    for _ in 0..3 {
        guests.push(Sio::connected(&gateway, Way::WebSocket, &json!({})).await);
    }
    let mut fourth = Sio::open(&gateway, Way::WebSocket).await;
    fourth.send("40").await;
    assert_eq!(fourth.packet().await, r#"44{"message":"too many clients without a token"}"#);
    User::new("bob").works_at_every_door(&gateway).await;
    for guest in &mut guests {
        guest.settled().await;
    }
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_no_strangers() {
    let settings =
        [("limits.http_connections", "32"), ("server.trusted_proxies", r#"["127.0.0.1"]"#)];
    let gateway = start(&settings).await;
    let user = User::new("bob");
    let mut streams = Vec::new();
    for n in 0..20 {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        let headers = user.headers();
        let headers = if n % 2 == 0 { &headers[..] } else { &[] };
        let answer = http::get_over(&mut stream, "/conversations", headers).await.unwrap();
        assert_eq!(answer.status, if n % 2 == 0 { 200 } else { 401 });
        streams.push(stream);
    }
    for stream in &mut streams {
        let answer = http::get_over(stream, "/conversations", &user.headers()).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn health_is_answered_whatever_is_full() {
    let settings = [("limits.http_connections", "2"), ("limits.connections", "1")];
    let gateway = Gateway::start(&settings).await;
    let _session = e2e::Client::connect(&gateway).await;
    let mut held = Vec::new();
    while held.len() < 2 {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        // The handshake may count as a request for a moment yet.
        if http::get_over(&mut stream, "/", &[]).await.is_ok_and(|it| it.status == 200) {
            held.push(stream);
        }
    }
    // More connections that say nothing than the reserve has.
    let _idle = flood(&gateway, 200, b"").await;
    for _ in 0..3 {
        healthy(&gateway).await;
    }
    let refused = gateway.get("/").await;
    assert_eq!(refused.status, 503);
    let answer = http::request(gateway.address(), "HEAD", "/healthz", &[]).await;
    assert_eq!(answer.unwrap().header("connection"), Some("close"));
}
