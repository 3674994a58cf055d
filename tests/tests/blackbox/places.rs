//! Connections that are no sessions have a limit of their own.
use e2e::{Client, Gateway, Sse, eventually, http, metrics::Metrics};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PROBLEM: &str = "application/problem+json";

/// Connections that say nothing, once the gateway counts them.
async fn silent(gateway: &Gateway, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        // An answer shows that it was accepted; those before it may not be gone yet.
        let connect = async || {
            let mut stream = TcpStream::connect(gateway.address()).await.ok()?;
            let answer = http::get_over(&mut stream, "/", &[]).await.ok()?;
            (answer.status == 200).then_some(stream)
        };
        streams.push(eventually("a place", connect).await);
    }
    streams
}

/// Reads the metrics, once the gateway has room for the request.
async fn counted(gateway: &Gateway) -> Metrics {
    eventually("room to ask for metrics", async || {
        let answer = http::get(gateway.address(), "/metrics", &[]).await.ok()?;
        (answer.status == 200).then(|| Metrics::parse(&answer.body))
    })
    .await
}

async fn get(gateway: &Gateway) -> http::Response {
    http::get(gateway.address(), "/", &[]).await.expect("it answers")
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_closed_until_there_is_room() {
    let gateway = Gateway::start(&[("limits.http_connections", "2")]).await;
    let mut open = silent(&gateway, 2).await;
    let mut refused = TcpStream::connect(gateway.address()).await.unwrap();
    let answer = http::get_over(&mut refused, "/", &[]).await.unwrap();
    assert_eq!(answer.problem(), (503, PROBLEM.into(), "/problems/server-full".into()));
    assert_eq!(
        [answer.header("connection"), answer.header("retry-after")],
        [Some("close"), Some("5")]
    );
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{answer:?}");
    assert_eq!(http::until_closed(&mut refused).await, b"");
    drop(open.pop());
    eventually("room for another", async || (get(&gateway).await.status == 200).then_some(()))
        .await;
    let refusals = [("protocol", "http"), ("reason", "full")];
    let refused = counted(&gateway).await.sum("quadrille_connections_refused_total", &refusals);
    assert!(refused >= 1, "{refused}");
    eventually("the silent one and this to be counted", async || {
        let open = counted(&gateway).await.sum("quadrille_http_connections", &[]);
        (open == 2).then_some(())
    })
    .await;
    let end = gateway.stop().await;
    assert!(end.stderr.iter().any(|line| line.contains("refused")), "{end:#?}");
}

#[tokio::test]
async fn sessions_take_no_place_of_requests() {
    let settings = [("limits.http_connections", "2"), ("limits.connections_per_ip", "2")];
    let gateway = Gateway::start(&settings).await;
    let mut client = Client::connect(&gateway).await;
    eventually("its place to be free", async || {
        let open = counted(&gateway).await.sum("quadrille_http_connections", &[]);
        (open == 1).then_some(())
    })
    .await;
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    sse.opened().await;
    let sessions = counted(&gateway).await.sum("quadrille_connections", &[]);
    assert_eq!((sessions, silent(&gateway, 2).await.len()), (2, 2));
    client.until_pong().await;
}

#[tokio::test]
async fn one_address_has_only_so_many_connections_besides_its_sessions() {
    let gateway = Gateway::start(&[("limits.connections_per_ip", "2")]).await;
    let _sessions = [Client::connect(&gateway).await, Client::connect(&gateway).await];
    eventually("the sessions to be counted as such", async || {
        let open = counted(&gateway).await.sum("quadrille_http_connections", &[]);
        (open == 1).then_some(())
    })
    .await;
    let open = silent(&gateway, 2).await;
    let answer = get(&gateway).await;
    assert_eq!(answer.problem(), (429, PROBLEM.into(), "/problems/too-many-connections".into()));
    drop(open);
    eventually("room for another", async || (get(&gateway).await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_gives_its_place_back() {
    let settings = [
        ("limits.http_connections", "1"),
        ("server.header_timeout", "300ms"),
        ("server.idle_timeout", "300ms"),
    ];
    let gateway = Gateway::start(&settings).await;
    let mut idle = silent(&gateway, 1).await.remove(0);
    let mut mute = None;
    eventually("a place for one that never says a word", async || {
        let mut stream = TcpStream::connect(gateway.address()).await.ok()?;
        let mut first = [0; 12];
        // Whoever is refused is told so at once.
        let told = tokio::time::timeout(
            std::time::Duration::from_millis(100),
            stream.read_exact(&mut first),
        );
        if told.await.is_err() {
            mute = Some(stream);
        }
        mute.is_some().then_some(())
    })
    .await;
    assert_eq!(http::until_closed(&mut idle).await, b"");
    http::until_closed(mute.as_mut().unwrap()).await;
    eventually("a place for a request", async || (get(&gateway).await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let gateway = Gateway::start(&[("server.header_timeout", "2s")]).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        for byte in
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ".bytes().chain(std::iter::repeat(b'x'))
        {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    // What counts is the whole head, not each byte: 500 ms apart these would never be late.
    let read = tokio::select! {
        read = http::until_closed(&mut reader) => read,
        () = trickle => unreachable!(),
    };
    assert!(read.is_empty() || read.starts_with(b"HTTP/1.1 408"), "{read:?}");
}
