//! Starting, and failing to.
use std::net::TcpListener;

use e2e::Gateway;

#[tokio::test]
async fn a_start_prints_where_to_connect_and_how() {
    let gateway = Gateway::start(&[]).await;
    let stdout = gateway.stdout();
    let ready = format!("quadrille 0.1.0 ready on http://{}", gateway.address());
    assert!(stdout[0].starts_with(&ready), "{stdout:#?}");
    let door = format!("ws://{}/ws", gateway.address());
    e2e::eventually("the broker's door", async || {
        gateway.stdout().iter().any(|line| line.contains(&door)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn serving_is_what_it_does_without_a_command() {
    let gateway = Gateway::start_with(&[], &[("server.listen", "127.0.0.1:0")]).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn every_listener_is_served_and_named() {
    let listen = r#"["127.0.0.1:0", "[::1]:0"]"#;
    let gateway = Gateway::start(&[("server.listen", listen)]).await;
    let ready = gateway.stdout().swap_remove(0);
    assert_eq!(ready.matches("http://").count(), 2, "{ready}");
    assert!(ready.contains("http://[::1]:"), "{ready}");
}

#[tokio::test]
async fn the_path_of_the_broker_can_be_moved() {
    let gateway = Gateway::start(&[("broker.path", "/channels")]).await;
    let moved = e2e::http::get(gateway.address(), "/channels", &e2e::http::HANDSHAKE).await;
    assert_eq!((moved.unwrap().status, gateway.get("/ws").await.status), (101, 404));
}

#[tokio::test]
async fn a_port_in_use_ends_the_start_with_1_and_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // Fewer connections than files may be open, or there is a warning about that as well.
    let settings = [("server.listen", address.as_str()), ("limits.connections", "100")];
    let end = Gateway::run(&["serve"], &settings).await;
    assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
    assert!(end.stderr[0].contains(&address), "{end:#?}");
    assert!(!end.stdout.iter().any(|line| line.contains("ready")), "{end:#?}");
}

#[tokio::test]
async fn logs_are_json_when_asked_for() {
    let settings = [("log.format", "json"), ("log.level", "info")];
    let gateway = Gateway::start(&settings).await;
    let end = gateway.stop().await;
    assert!(!end.stderr.is_empty(), "something is logged at info");
    for line in &end.stderr {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{line}");
    }
}
