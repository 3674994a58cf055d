//! Shares of one user in the common pools, while others work on undisturbed.
use e2e::{
    Client, Form, Gateway, Sio, Sse, eventually, http,
    sio::Way,
    token::{JWT, token},
};
use serde_json::json;
use tokio::net::TcpStream;

const PROBLEM: &str = "application/problem+json";

/// A user, and what their requests show.
pub(crate) struct User {
    pub(crate) token: String,
    bearer: String,
}

impl User {
    pub(crate) fn new(name: &str) -> Self {
        let token = token(json!({"sub": name, "channels": ["c*"]}));
        Self { bearer: format!("Bearer {token}"), token }
    }

    pub(crate) fn headers(&self) -> [(&str, &str); 1] {
        [("Authorization", &self.bearer)]
    }

    /// Connects by Socket.IO: what comes instead of a greeting is the error.
    async fn socket_io(&self, gateway: &Gateway, way: Way) -> Result<Sio, String> {
        let mut client = Sio::open(gateway, way).await;
        client.send(&format!("40{}", json!({"token": self.token}))).await;
        let packet = client.packet().await;
        if packet.starts_with("40") { Ok(client) } else { Err(packet) }
    }

    /// Opens a session at each door, uses it, and closes it again.
    pub(crate) async fn works_at_every_door(&self, gateway: &Gateway) {
        let mut client = Client::signed_in(gateway, &self.token).await;
        client.subscribe("c1").await;
        client.publish("c1", &json!("hello")).await;
        assert_eq!(client.until_pong().await, [""; 0], "nothing is refused");
        client.leave().await;
        for way in Way::ALL {
            let mut client = self.socket_io(gateway, way).await.expect("it is let in");
            client.settled().await;
            client.send("1").await;
        }
        let headers = self.headers();
        let asked = json!({"message": "hello"}).to_string();
        let json = [headers[0], ("Content-Type", "application/json")];
        let sent = http::send(gateway.address(), "POST", "/send", &json, asked.as_bytes()).await;
        assert_eq!(sent.expect("an answer").status, 200);
        let mut events = Sse::request(gateway, "GET", "/events?topic=c1", &headers, "").await;
        assert_eq!(events.head.status, 200, "{:?}", events.head);
        events.opened().await;
    }
}

/// Starts where a token is needed, with small pools.
pub(crate) async fn start(settings: &[(&str, &str)]) -> Gateway {
    Gateway::start(&[&JWT, settings].concat()).await
}

/// Used part of a pool, and its size.
pub(crate) async fn pool(gateway: &Gateway, name: &str) -> [u64; 2] {
    let metrics = gateway.metrics().await;
    let of = |metric| metrics.sum(metric, &[("pool", name)]);
    [of("quadrille_pool_used"), of("quadrille_pool_size")]
}

#[tokio::test]
async fn a_user_with_many_sessions_keeps_out_nobody() {
    let gateway = start(&[("limits.connections", "16")]).await;
    let (ann, bob) = (User::new("ann"), User::new("bob"));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Client::signed_in(&gateway, &ann.token).await);
    }
    let sio = ann.socket_io(&gateway, Way::WebSocket).await.unwrap();
    // At its share: each door says so in its own terms.
    let refused = http::knock(gateway.address(), &ann.headers()).await;
    let expected = (429, PROBLEM.into(), "/problems/too-many-connections".into());
    assert_eq!(refused.problem(), expected);
    assert_eq!(refused.header("retry-after"), Some("5"));
    for way in Way::ALL {
        let refused = ann.socket_io(&gateway, way).await.unwrap_err();
        assert_eq!(refused, r#"44{"message":"this user has too many connections"}"#);
    }
    let stream = http::get(gateway.address(), "/events?topic=c1", &ann.headers()).await.unwrap();
    assert_eq!(stream.problem(), expected);
    bob.works_at_every_door(&gateway).await;
    // What is given back may be taken again.
    drop(sio);
    eventually("room in the share", async || ann.socket_io(&gateway, Way::Polling).await.ok())
        .await;
    assert_eq!(pool(&gateway, "sessions").await[1], 16);
    for client in &mut held {
        client.until_pong().await;
    }
}

#[tokio::test]
async fn a_user_with_many_connections_keeps_out_nobody() {
    let gateway = start(&[("limits.http_connections", "16")]).await;
    let (ann, bob) = (User::new("ann"), User::new("bob"));
    let ask = async |stream: &mut TcpStream| {
        http::get_over(stream, "/conversations", &ann.headers()).await.expect("an answer")
    };
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.status, 200);
        held.push(stream);
    }
    for path in ["/conversations", "/api/v1/topics", "/api/v1/chat/workflows"] {
        let refused = http::get(gateway.address(), path, &ann.headers()).await.unwrap();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")), "{path}");
    }
    bob.works_at_every_door(&gateway).await;
    for stream in &mut held {
        assert_eq!(ask(stream).await.status, 200, "it is ann's, and stays open");
    }
    drop(held.pop());
    eventually("room in the share", async || {
        let mut stream = TcpStream::connect(gateway.address()).await.ok()?;
        (ask(&mut stream).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_user_who_follows_many_topics_keeps_out_nobody() {
    let gateway = start(&[("limits.topics", "40")]).await;
    let (ann, bob) = (User::new("ann"), User::new("bob"));
    let mut first = Client::signed_in(&gateway, &ann.token).await;
    let mut second = Client::signed_in(&gateway, &ann.token).await;
    for n in 0..10 {
        let client = if n % 2 == 0 { &mut first } else { &mut second };
        client.subscribe(&format!("c-ann-{n}")).await;
    }
    let more = json!({"channel": "c-ann-10"});
    let refused = first.ask(Form::Action, "subscribe", more.clone()).await;
    assert_eq!(refused["payload"]["code"], "too_many_topics", "{refused}");
    let path = "/events?topic=c-ann-10";
    let refused = http::get(gateway.address(), path, &ann.headers()).await.unwrap();
    assert_eq!(refused.problem(), (429, PROBLEM.into(), "/problems/too-many-topics".into()));
    // What is followed already costs nothing more.
    second.subscribe("c-ann-0").await;
    bob.works_at_every_door(&gateway).await;
    // Who follows the same goes on with it, and then it is theirs.
    let mut other = Client::signed_in(&gateway, &bob.token).await;
    other.subscribe("c-ann-0").await;
    for client in [&mut first, &mut second] {
        let gone = client.ask(Form::Action, "unsubscribe", json!({"channel": "c-ann-0"})).await;
        assert_eq!(gone["action"], "unsubscribed", "{gone}");
    }
    let answer = first.ask(Form::Action, "subscribe", more).await;
    assert_eq!(answer["action"], "subscribed", "{answer}");
    second.publish("c-ann-0", &json!(1)).await;
    assert_eq!(other.next_json().await, json!({"channel": "c-ann-0", "payload": 1}));
}

#[tokio::test]
async fn a_program_that_names_no_user_has_no_share_of_its_own() {
    let gateway = start(&[("limits.connections", "16")]).await;
    let program = token(json!({"channels": ["*"], "scope": "topics"}));
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(Client::signed_in(&gateway, &program).await);
    }
    User::new("bob").works_at_every_door(&gateway).await;
}

#[tokio::test]
async fn where_nobody_signs_in_addresses_have_a_share_if_the_operator_says_so() {
    let settings = [("limits.connections", "8"), ("limits.address_share", "0.25")];
    let gateway = Gateway::start(&settings).await;
    let _held = [Client::connect(&gateway).await, Client::connect(&gateway).await];
    let refused = http::knock(gateway.address(), &[]).await;
    assert_eq!(refused.problem(), (429, PROBLEM.into(), "/problems/too-many-connections".into()));
    let other = [127, 0, 0, 2].into();
    let mut headers = http::HANDSHAKE.to_vec();
    headers.push(("Origin", "http://localhost"));
    let knocked = http::get_from(other, gateway.address(), "/ws", &headers).await.unwrap();
    assert_eq!(knocked.status, 101);
}

#[tokio::test]
async fn pools_follow_the_configuration_at_a_reload() {
    let file = |sizes: [u32; 4]| {
        let [connections, http, topics, input] = sizes;
        format!(
            "[limits]\nconnections = {connections}\nhttp_connections = {http}\n\
             topics = {topics}\ninput_bytes = {input}\n"
        )
    };
    let folder = e2e::scratch::Scratch::new();
    let path = folder.path().join("q.toml");
    std::fs::write(&path, file([100, 101, 102, 103])).unwrap();
    let config = path.display().to_string();
    let args = ["serve", "--config", &config];
    let gateway = Gateway::start_with(&args, &[("server.listen", r#"["127.0.0.1:0"]"#)]).await;
    let sizes = async || {
        let mut sizes = Vec::new();
        for name in ["sessions", "http_connections", "topics", "input"] {
            sizes.push(pool(&gateway, name).await[1]);
        }
        sizes
    };
    assert_eq!(sizes().await, [100, 101, 102, 103]);
    std::fs::write(&path, file([50, 51, 52, 53])).unwrap();
    gateway.signal("HUP").await;
    eventually("other sizes", async || (sizes().await == [50, 51, 52, 53]).then_some(())).await;
}

#[tokio::test]
async fn every_pool_is_in_the_table_of_bounds() {
    let gateway = start(&[]).await;
    let text = gateway.get("/metrics").await.body;
    let mut shown: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("quadrille_pool_size{pool=\"")?.split('"').next())
        .collect();
    shown.sort_unstable();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let (_, table) = document.split_once("### How much").expect("a table of bounds");
    let (table, _) = table.split_once("## Memory").expect("a chapter after it");
    let pools = table.lines().filter_map(|row| {
        let cell = row.strip_suffix('|')?.rsplit('|').next()?.trim();
        cell.strip_prefix('`')?.strip_suffix('`')
    });
    let mut listed: Vec<_> = pools.collect();
    listed.sort_unstable();
    assert_eq!(shown, listed, "the last column of the table names each pool once");
}
