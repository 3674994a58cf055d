//! The echo over real connections.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use quadrille_core::{
    Draft, Hub, Life, Limits, MESSAGE, Policies, Presence, Registry, Shares, Topic, Turns, now,
};
use quadrille_edge::{Core, http::Origins};
use quadrille_identity::{AuthSettings, Authority, Issue, Mode, Quotas, Secret, install_crypto};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{ClientRequestBuilder, Error, Message, protocol::CloseFrame},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const TIMEOUT: Duration = Duration::from_secs(10);

struct Server {
    core: Core,
    address: SocketAddr,
}

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Server {
    async fn start(mode: Mode) -> Self {
        install_crypto();
        let (limits, life) = (Limits::default(), Life::new());
        let secrets = match mode {
            Mode::Open => Vec::new(),
            Mode::Jwt => vec![Secret::from(SECRET.to_owned())],
        };
        let settings = AuthSettings { mode, secrets, ..AuthSettings::default() };
        let core = Core {
            hub: Hub::new(Policies::default(), &limits, &life),
            sessions: Registry::new(limits.clone()),
            presence: Presence::default(),
            auth: Authority::new(&settings).unwrap(),
            quotas: Quotas::new(&limits),
            shares: Shares::new(&limits),
            origins: Origins::new(&["https://chat.example.com"]).unwrap(),
            turns: Turns::default(),
            life: life.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = axum::serve(listener, echo_protocol::router(&core));
        let draining = life.clone();
        life.spawn("server", async move {
            let draining = async move { draining.draining().await };
            server.with_graceful_shutdown(draining).await.unwrap();
        });
        Self { core, address }
    }

    fn request(&self, query: &str) -> ClientRequestBuilder {
        let url = format!("ws://{}{}{query}", self.address, echo_protocol::PATH);
        ClientRequestBuilder::new(url.parse().unwrap())
    }

    async fn connect(&self, query: &str) -> Client {
        connect_async(self.request(query)).await.unwrap().0
    }

    async fn publish(&self, channel: &str, payload: &'static str) {
        let topic = Topic::from_channel(channel).unwrap();
        self.core.hub.publish(Draft::new(topic, MESSAGE, payload)).await.unwrap();
    }
}

/// HTTP status and problem of a handshake that is refused.
async fn refusal(request: ClientRequestBuilder) -> (u16, String) {
    let Err(Error::Http(response)) = connect_async(request).await else {
        panic!("the handshake was not refused")
    };
    let problem: serde_json::Value =
        serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap();
    (response.status().as_u16(), problem["type"].as_str().unwrap().to_owned())
}

async fn next(client: &mut Client) -> Message {
    timeout(TIMEOUT, client.next()).await.unwrap().unwrap().unwrap()
}

async fn ask(client: &mut Client, text: &str) -> String {
    client.send(text.into()).await.unwrap();
    next(client).await.into_text().unwrap().to_string()
}

/// A token that may use `channels` for `seconds`.
fn token(channels: &[&str], seconds: u64) -> String {
    let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
    let (sub, now) = ("7".to_owned(), now() / 1000);
    let issue = Issue { sub, channels, iat: now, exp: now + seconds, ..Issue::default() };
    issue.sign(&Secret::from(SECRET.to_owned()))
}

/// Close code of a connection that the server ends.
async fn close_code(client: &mut Client) -> u16 {
    let Message::Close(Some(CloseFrame { code, .. })) = next(client).await else {
        panic!("no close frame")
    };
    assert!(timeout(TIMEOUT, client.next()).await.unwrap().is_none());
    code.into()
}

#[tokio::test]
async fn a_text_comes_back() {
    let server = Server::start(Mode::Open).await;
    let mut client = server.connect("").await;
    for text in ["", "hello", "Grüße", &"x".repeat(1 << 15)] {
        assert_eq!(ask(&mut client, text).await, text);
    }
    client.send(Message::binary("hello")).await.unwrap();
    assert_eq!(next(&mut client).await, Message::text("error send text"));
}

#[tokio::test]
async fn records_of_a_channel_are_shown_until_it_is_deleted() {
    let server = Server::start(Mode::Open).await;
    let mut client = server.connect("").await;
    server.publish("news", "0").await;
    let answer = ask(&mut client, "subscribe news").await;
    assert!(answer.starts_with("subscribed "), "{answer}");
    server.publish("news", r#"{"n":1.50}"#).await;
    assert_eq!(next(&mut client).await, Message::text(r#"news {"n":1.50}"#));
    server.core.hub.delete(&Topic::from_channel("news").unwrap());
    assert_eq!(next(&mut client).await, Message::text("deleted news"));
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let server = Server::start(Mode::Open).await;
    let from = |origin: &str| server.request("").with_header("Origin", origin);
    let expected = (403, "/problems/origin".to_owned());
    assert_eq!(refusal(from("https://evil.example.com")).await, expected);
    connect_async(from("https://chat.example.com")).await.unwrap();
}

#[tokio::test]
async fn a_bad_token_is_refused_and_a_good_one_opens_its_channels() {
    let server = Server::start(Mode::Jwt).await;
    let missing = refusal(server.request("")).await;
    assert_eq!(missing, (401, "/problems/no-token".to_owned()));
    let bad = refusal(server.request("?token=a.b.c")).await;
    assert_eq!(bad, (401, "/problems/bad-token".to_owned()));
    let mut client = server.connect(&format!("?token={}", token(&["news"], 60))).await;
    let news = ask(&mut client, "subscribe news").await;
    assert!(news.starts_with("subscribed "), "{news}");
    let other = ask(&mut client, "subscribe other").await;
    assert!(other.starts_with("error "), "{other}");
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let server = Server::start(Mode::Jwt).await;
    // At least one second, whatever part of this one is over.
    let mut client = server.connect(&format!("?token={}", token(&[], 2))).await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    assert_eq!(close_code(&mut client).await, 3005);
}

#[tokio::test]
async fn a_shutdown_closes_connections_and_leaves_no_task() {
    let server = Server::start(Mode::Open).await;
    let mut client = server.connect("").await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    server.core.sessions.drain(Duration::ZERO).await;
    assert_eq!(close_code(&mut client).await, 3001);
    assert!(server.core.life.stopped(TIMEOUT).await);
}
