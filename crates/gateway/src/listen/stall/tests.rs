//! Time-outs of peers that take no data.
use std::time::Duration;

use quadrille_core::{Admission, Close, Holder, Limits, Registry};
use quadrille_identity::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{listen::limit::tests::connection_limit, proxies::ConnectionPeer};

fn connection(closing: &CancellationToken) -> HttpConnection {
    let permit = connection_limit(Mode::Open, &Limits::default())
        .acquire(ConnectionPeer::Unix, false)
        .unwrap();
    HttpConnection::new(closing.clone(), permit)
}

fn pair(connection: &HttpConnection) -> (WatchedStream<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(8);
    (WatchedStream::new(near, connection.clone()), far)
}

/// Seconds until a write of more than the peer takes fails.
async fn patience(io: &mut WatchedStream<DuplexStream>) -> u64 {
    let begin = Instant::now();
    let failed = io.write_all(&[0; 9]).await.unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    begin.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_sooner_when_it_has_to_go() {
    let closing = CancellationToken::new();
    let connection = connection(&closing);
    assert_eq!(patience(&mut pair(&connection).0).await, 30);
    closing.cancel();
    assert_eq!(patience(&mut pair(&connection).0).await, 2);
    let registry = Registry::default();
    let who = Admission {
        protocol: "test",
        user: None,
        holder: Holder::Program,
        peer: [127, 0, 0, 1].into(),
    };
    let session = registry.admit(who).unwrap();
    connection.on_session(session.info());
    assert_eq!(patience(&mut pair(&connection).0).await, 30);
    registry.end(session.id(), &Close::KICKED);
    assert_eq!(patience(&mut pair(&connection).0).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_little_or_is_no_business_of_http_is_not_given_up() {
    let connection = connection(&CancellationToken::new());
    let (mut io, mut far) = pair(&connection);
    let taking = async {
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            far.read_u8().await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(io.write_all(&[0; 16]), taking);
    assert!(written.is_ok());
    connection.on_upgrade();
    let write = tokio::time::timeout(Duration::from_hours(1), io.write_all(&[0; 9]));
    assert!(write.await.is_err(), "it waits");
}
