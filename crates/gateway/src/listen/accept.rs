//! Accepts connections and serves their requests. Our own loop, for ready-made ones lack a limit on
//! connections, a time-out for request heads, and a shutdown that does not wait for idle clients.
use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use quadrille_core::Life;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    connection::HttpConnection,
    discard::CLOSING_TIMEOUT,
    head_timer::HeadTimer,
    limit::{ConnectionLimit, ConnectionPermit},
    listener::{Accepted, Listener},
    refusal::Refusals,
    request_body::RequestBody,
    socket::ClientSocket,
    stall::WatchedStream,
};
use crate::{edge::Edge, proxies::ConnectionPeer};

/// Upper bound on the head of a request, and on one read of a body. A connection holds it only while
/// needed, and not as a WebSocket.
const BUFFER: usize = 64 << 10;

/// Pause after a failed accept, as without file descriptors.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Interval between log lines about failed accepts.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Shared parts of all connections.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    pub(crate) edge: Arc<Edge>,
    pub(crate) limit: ConnectionLimit,
    refusals: Refusals,
    pub(crate) http: http1::Builder,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Time for the head of a request, and for the TLS handshake before the first.
    head_timeout: Duration,
    pub(crate) life: Life,
    /// Cancelled to stop accepting, and to close connections between two requests.
    pub(crate) closing: CancellationToken,
}

impl Acceptor {
    pub(crate) fn new(
        edge: Edge,
        limit: ConnectionLimit,
        tls: Option<Arc<ServerConfig>>,
        (head_timeout, idle): (Duration, Duration),
        life: Life,
        closing: CancellationToken,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.header_read_timeout(idle);
        http.max_header_size(BUFFER).max_buf_size(BUFFER);
        let refusals = Refusals::default();
        Self { edge: edge.into(), limit, refusals, http, tls, head_timeout, life, closing }
    }

    /// Accepts until closing.
    pub(crate) async fn run(self, listener: Listener) {
        let mut logged: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.cancelled() => return,
            };
            match accepted {
                Ok(accepted) => self.admit(accepted),
                Err(err) if is_peer_closed(&err) => {}
                Err(err) => {
                    if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                        logged = Some(Instant::now());
                        tracing::error!(error = %err, "cannot accept connections, trying again");
                    }
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    /// Serves a connection if the limit allows; otherwise refuses it.
    fn admit(&self, accepted: Accepted) {
        let caller = accepted.caller();
        match self.limit.acquire(caller, self.edge.trusts(caller)) {
            Ok(permit) => self.life.spawn("http", self.clone().serve(accepted, permit)),
            Err(err) => self.refusals.refuse(accepted, err, self),
        }
    }

    async fn serve(self, accepted: Accepted, permit: ConnectionPermit) {
        let caller = accepted.caller();
        let connection = HttpConnection::new(self.closing.clone(), permit);
        let socket = match accepted {
            Accepted::Tcp(stream, _) => {
                ClientSocket::Tcp(WatchedStream::new(stream, connection.clone()))
            }
            Accepted::Unix(stream) => {
                ClientSocket::Unix(WatchedStream::new(stream, connection.clone()))
            }
            Accepted::Tls(stream, _) => match self.handshake(stream, &connection).await {
                Ok(stream) => ClientSocket::Tls(stream),
                Err(err) => {
                    tracing::debug!(peer = %caller.ip(), error = %err, "TLS handshake failed");
                    return;
                }
            },
        };
        let secure = matches!(socket, ClientSocket::Tls(_));
        let (edge, life) = (self.edge, self.life);
        let requests = Requests { edge, caller, secure, life, connection: connection.clone() };
        let mut http = self.http.clone();
        http.timer(HeadTimer::new(connection.clone(), self.head_timeout));
        let serving = http.serve_connection(TokioIo::new(socket), requests);
        let mut serving = pin!(serving.with_upgrades());
        let (mut half_closed, mut closing) =
            (pin!(connection.half_closed()), pin!(self.closing.cancelled()));
        let mut is_half_closed = false;
        let ended = loop {
            tokio::select! {
                ended = serving.as_mut() => break ended,
                () = connection.displaced() => break Ok(()),
                // After the current response.
                () = half_closed.as_mut(), if !is_half_closed => {
                    is_half_closed = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = closing.as_mut() => {
                    serving.as_mut().graceful_shutdown();
                    break match tokio::time::timeout(CLOSING_TIMEOUT, serving.as_mut()).await {
                        Ok(ended) => ended,
                        // Not worth a wait: the rest of a first head, or of a body that is discarded.
                        Err(_) if connection.is_new() || connection.lingers() => Ok(()),
                        Err(_) => serving.await,
                    };
                }
            }
        };
        connection.on_upgrade();
        if let Err(err) = ended {
            tracing::debug!(peer = %caller.ip(), error = %err, "connection failed");
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        connection: &HttpConnection,
    ) -> io::Result<Box<TlsStream<WatchedStream<TcpStream>>>> {
        let Some(tls) = self.tls.clone() else { return Err(io::ErrorKind::Unsupported.into()) };
        // Boxed, or every connection's future would have its size.
        let handshake = Box::pin(
            TlsAcceptor::from(tls).accept(WatchedStream::below_tls(stream, connection.clone())),
        );
        tokio::select! {
            agreed = tokio::time::timeout(self.head_timeout, handshake) => Ok(Box::new(agreed??)),
            () = connection.displaced() => Err(io::ErrorKind::ConnectionAborted.into()),
            () = self.closing.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// Whether the connection was closed by the peer before it was accepted.
fn is_peer_closed(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Service for the requests of one connection.
pub(crate) struct Requests {
    pub(crate) edge: Arc<Edge>,
    pub(crate) caller: ConnectionPeer,
    pub(crate) secure: bool,
    pub(crate) life: Life,
    pub(crate) connection: HttpConnection,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.connection.on_request(request.version());
        let request = RequestBody::of(request, &self.connection, &self.life);
        let (edge, connection) = (Arc::clone(&self.edge), self.connection.clone());
        let (caller, secure) = (self.caller, self.secure);
        Box::pin(async move { Ok(edge.respond(request, caller, secure, connection).await) })
    }
}
