//! TLS, and certificates that change while connections are open.
use e2e::{Client, Gateway, eventually, http, scratch::Scratch, tls};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const BOTH: &str = r#"["127.0.0.1:0", "https://127.0.0.1:0"]"#;

struct Secure {
    authority: tls::Authority,
    first: tls::Identity,
    home: Scratch,
    gateway: Gateway,
}

async fn start(settings: &[(&str, &str)]) -> Secure {
    let (authority, home) = (tls::Authority::new(), Scratch::new());
    let first = authority.issue();
    let [certificate, key] = first.write(&home);
    let tls = [
        ("server.listen", BOTH),
        ("server.tls.certificate", &certificate),
        ("server.tls.key", &key),
        ("log.level", "info"),
    ];
    let gateway = Gateway::start(&[&tls, settings].concat()).await;
    Secure { authority, first, home, gateway }
}

impl Secure {
    async fn connect(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let at = self.gateway.address_of("https://");
        self.authority.connect(at).await.expect("the gateway is trusted")
    }

    async fn client(&self) -> Client {
        let stream = Box::new(self.connect().await);
        Client::open_over(stream, "localhost", &[]).await.expect("the gateway takes a client")
    }
}

#[tokio::test]
async fn every_door_opens_over_tls() {
    let secure = start(&[]).await;
    let mut stream = secure.connect().await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let answer = http::get_over(&mut stream, "/healthz", &[]).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let (mut reader, mut writer) = (secure.client().await, Client::connect(&secure.gateway).await);
    reader.subscribe("c").await;
    // More than the socket takes at once: TLS holds the rest back until it is asked again.
    let long = "x".repeat(150_000);
    for n in 0..5 {
        writer.publish("c", &json!([n, long])).await;
    }
    for n in 0..5 {
        assert_eq!(reader.next_json().await["payload"], json!([n, long]));
    }
    writer.subscribe("d").await;
    reader.publish("d", &json!("back")).await;
    assert_eq!(writer.next_json().await["payload"], "back");
    reader.leave().await;
    let ready = secure.gateway.stdout().swap_remove(0);
    assert!(ready.contains("http://127.0.0.1") && ready.contains("https://127.0.0.1"), "{ready}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let secure = start(&[]).await;
    let stream = secure.connect().await;
    assert_eq!(tls::shown(&stream), secure.first.certificate);
    let mut old = Client::open_over(Box::new(stream), "localhost", &[]).await.unwrap();
    old.subscribe("c").await;
    let second = secure.authority.issue();
    second.write(&secure.home);
    secure.gateway.signal("HUP").await;
    eventually("the new certificate", async || {
        (tls::shown(&secure.connect().await) == second.certificate).then_some(())
    })
    .await;
    Client::connect(&secure.gateway).await.publish("c", &json!(1)).await;
    assert_eq!(old.next_json().await["payload"], 1);
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_as_it_is() {
    let secure = start(&[]).await;
    let other = secure.authority.issue();
    let key = secure.home.file("key.pem", &other.key_pem);
    secure.gateway.signal("HUP").await;
    let line = eventually("a line about it", async || {
        let lines = secure.gateway.stderr();
        lines.into_iter().find(|line| line.contains("ERROR"))
    })
    .await;
    assert!(line.contains("server.tls.key") && line.contains(&key), "{line}");
    assert!(!line.contains("PRIVATE"), "{line}");
    assert_eq!(tls::shown(&secure.connect().await), secure.first.certificate);
}

#[tokio::test]
async fn files_that_cannot_be_used_end_the_start_with_64_and_the_key() {
    let (authority, home) = (tls::Authority::new(), Scratch::new());
    let [certificate, key] = authority.issue().write(&home);
    let others = home.file("other.pem", &authority.issue().key_pem);
    let text = home.file("text.pem", "no certificate");
    let broken =
        home.file("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----");
    let cases = [
        (certificate.as_str(), others.as_str(), "server.tls.key"),
        (&certificate, "/nowhere/key.pem", "server.tls.key"),
        (&certificate, &text, "server.tls.key"),
        (&certificate, &certificate, "server.tls.key"),
        (&text, &key, "server.tls.certificate"),
        (&broken, &key, "server.tls.certificate"),
        (&key, &key, "server.tls.certificate"),
        ("/nowhere/cert.pem", &key, "server.tls.certificate"),
    ];
    for (certificate, key, blamed) in cases {
        let settings = [
            ("server.listen", "https://127.0.0.1:0"),
            ("server.tls.certificate", certificate),
            ("server.tls.key", key),
        ];
        for command in ["serve", "check-config"] {
            let end = Gateway::run(&[command], &settings).await;
            assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{certificate} {key} {end:#?}");
            assert!(end.stderr[0].contains(&format!(": {blamed}: expected ")), "{end:#?}");
        }
    }
}

#[tokio::test]
async fn who_speaks_no_tls_or_stops_in_the_middle_is_not_waited_for() {
    let secure = start(&[("server.header_timeout", "500ms")]).await;
    let at = secure.gateway.address_of("https://");
    for sent in [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0x16, 3, 1, 2], &[], &[0; 9]]
    {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let answer = http::until_closed(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // The handshake, and then silence.
    let mut silent = secure.connect().await;
    assert_eq!(http::until_closed(&mut silent).await, b"");
    // The same for one in the middle of a head.
    let mut half = secure.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    http::until_closed(&mut half).await;
    eventually("nothing to be left of them", async || {
        let open = secure.gateway.metrics().await.sum("quadrille_http_connections", &[]);
        (open == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_health_is_answered() {
    let secure = start(&[("limits.http_connections", "1")]).await;
    let _open = secure.connect().await;
    for (path, status) in [("/", 503), ("/healthz", 200), ("/readyz", 200)] {
        let mut stream = secure.connect().await;
        assert_eq!(http::get_over(&mut stream, path, &[]).await.unwrap().status, status, "{path}");
    }
}

#[tokio::test]
async fn a_drain_closes_clients_over_tls_with_3001() {
    let secure = start(&[("server.drain_window", "0s")]).await;
    let mut client = secure.client().await;
    client.until_pong().await;
    let mut idle = secure.connect().await;
    http::get_over(&mut idle, "/healthz", &[]).await.unwrap();
    let stopping = secure.gateway.stop();
    let (end, closed, rest) =
        tokio::join!(stopping, client.closed(), http::until_closed(&mut idle));
    assert_eq!((end.code, closed.0, rest.len()), (Some(0), 3001, 0), "{end:#?}");
}

#[tokio::test]
async fn a_client_that_takes_no_data_is_closed_over_tls_too() {
    let settings = [
        ("broker.write_timeout", "200ms"),
        ("broker.ping_interval", "0s"),
        ("topics.chan.patience", "0s"),
    ];
    let secure = start(&settings).await;
    let mut stuck = secure.client().await;
    stuck.subscribe("c").await;
    let mut publisher = Client::connect(&secure.gateway).await;
    let long = "x".repeat(100_000);
    eventually("the stuck client to be closed", async || {
        for n in 0..10 {
            publisher.publish("c", &json!([n, long])).await;
        }
        publisher.until_pong().await;
        let metrics = secure.gateway.metrics().await;
        let slow = metrics.sum("quadrille_connections_ended_total", &[("code", "3008")]);
        (slow == 1).then_some(())
    })
    .await;
    let (_, (code, _)) = stuck.drained().await;
    assert!([3008, 1006].contains(&code), "there may be no room for the close frame: {code}");
}
