//! Everything that is answered without a WebSocket.
use e2e::{Client, Gateway, http};

const NOT_A_WEBSOCKET: &str = "/problems/not-a-websocket";

#[tokio::test]
async fn a_running_gateway_is_healthy_and_ready() {
    let gateway = Gateway::start(&[]).await;
    let statuses = [gateway.get("/healthz").await.status, gateway.get("/readyz").await.status];
    assert_eq!(statuses, [200, 200]);
}

#[tokio::test]
async fn metrics_count_connections() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.until_pong().await;
    let open = gateway.metrics().await.sum("quadrille_connections", &[("protocol", "broker")]);
    assert_eq!(open, 1);
    let answer = gateway.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
}

#[tokio::test]
async fn metric_names_do_not_grow_with_clients_or_channels() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for n in 0..20 {
        client.subscribe(&format!("channel-{n}")).await;
    }
    let text = gateway.get("/metrics").await.body;
    assert!(!text.contains("channel-"), "{text}");
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let gateway = Gateway::start(&[]).await;
    for path in ["/nothing", "/ws/", "/ws/more", "//", "/..%2f..%2fetc/passwd"] {
        assert_eq!(gateway.get(path).await.problem().0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_plain_get_is_told_to_upgrade() {
    let gateway = Gateway::start(&[]).await;
    let answer = gateway.get("/ws").await;
    let (status, media, kind) = answer.problem();
    assert_eq!((status, media.as_str()), (426, "application/problem+json"));
    assert_eq!(kind, NOT_A_WEBSOCKET);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
}

#[tokio::test]
async fn another_version_is_told_which_one_is_spoken() {
    let gateway = Gateway::start(&[]).await;
    for version in ["8", "14", "thirteen", ""] {
        let mut headers = http::HANDSHAKE;
        headers[2].1 = version;
        let answer = http::get(gateway.address(), "/ws", &headers).await.unwrap();
        assert_eq!((answer.problem().0, answer.problem().2.as_str()), (426, NOT_A_WEBSOCKET));
        assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{version:?}");
    }
}

#[tokio::test]
async fn a_handshake_with_a_bad_key_is_refused() {
    let gateway = Gateway::start(&[]).await;
    for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ==x", "////"] {
        let mut headers = http::HANDSHAKE;
        headers[3].1 = key;
        let answer = http::get(gateway.address(), "/ws", &headers).await.unwrap();
        assert_eq!((answer.problem().0, answer.problem().2.as_str()), (400, NOT_A_WEBSOCKET));
    }
}

#[tokio::test]
async fn a_handshake_is_a_get() {
    let gateway = Gateway::start(&[]).await;
    let answer = http::request(gateway.address(), "POST", "/ws", &http::HANDSHAKE).await.unwrap();
    assert_eq!((answer.problem().0, answer.problem().2.as_str()), (405, NOT_A_WEBSOCKET));
}

#[tokio::test]
async fn no_extension_and_no_subprotocol_is_agreed_to() {
    let gateway = Gateway::start(&[]).await;
    let offers = [
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-WebSocket-Protocol", "chat, superchat"),
    ];
    let answer = http::knock(gateway.address(), &offers).await;
    let agreed = [
        answer.header("sec-websocket-extensions"),
        answer.header("sec-websocket-protocol"),
        answer.header("sec-websocket-accept"),
    ];
    assert_eq!((answer.status, agreed), (101, [None, None, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]));
}
