//! From a listening socket to requests: our own loop, for what ready-made ones leave out, a limit
//! on the time a request may take to arrive and an end that waits for nobody idle.
use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    pin::pin,
    time::{Duration, Instant},
};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use quadrille_core::{Life, ws::Peer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::stall::{Purpose, Watched};

/// The largest head of a request, and what is read of a body at once. A connection holds as much
/// only while it needs it, and nothing of it once it is a WebSocket.
const BUFFER: usize = 64 << 10;

/// How long to wait when there are no files left to accept with.
const RETRY: Duration = Duration::from_millis(100);

/// How often to say so.
const COMPLAIN: Duration = Duration::from_secs(1);

/// What every connection is served with.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    app: Router,
    http: http1::Builder,
    life: Life,
    /// Accept no more, and close connections between two requests.
    closing: CancellationToken,
}

impl Acceptor {
    pub(crate) fn new(
        app: Router,
        header_timeout: Duration,
        life: Life,
        closing: CancellationToken,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(header_timeout);
        http.max_header_size(BUFFER).max_buf_size(BUFFER);
        Self { app, http, life, closing }
    }

    /// Accept until closing.
    pub(crate) async fn run(self, listener: TcpListener) {
        let mut complained: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = self.clone().connection(stream, peer.ip().to_canonical());
                    self.life.spawn("http", connection);
                }
                Err(why) if is_of_the_peer(&why) => {}
                Err(why) => {
                    if complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
                        complained = Some(Instant::now());
                        tracing::error!(error = %why, "cannot accept connections, trying again");
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, peer: IpAddr) {
        // A small record is not held back until the one before it is acknowledged. It fails only
        // when the connection is gone already.
        stream.set_nodelay(true).ok();
        let purpose = Purpose::new(self.closing.clone());
        let io = TokioIo::new(Watched::new(stream, purpose.clone()));
        let requests = Requests { app: self.app, peer: Peer(peer), purpose: purpose.clone() };
        let connection = self.http.serve_connection(io, requests);
        let mut connection = pin!(connection.with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        purpose.upgraded();
        if let Err(why) = ended {
            tracing::debug!(%peer, error = %why, "connection broken off");
        }
    }
}

/// The connection was gone before it was accepted.
fn is_of_the_peer(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(why.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The requests of one connection.
struct Requests {
    app: Router,
    peer: Peer,
    purpose: Purpose,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as tower::Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.purpose.requests();
        request.extensions_mut().insert(self.purpose.clone());
        self.app.clone().call(request)
    }
}
