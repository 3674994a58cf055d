//! Refusals over the connection limit. A small reserve of short-lived connections sends them, and still
//! answers health checks.
use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use quadrille_core::{NotAdmitted, telemetry};
use quadrille_edge::http::Problem;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, join, split},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    accept::{Acceptor, Requests},
    connection::HttpConnection,
    linger::Linger,
    listener::Accepted,
};
use crate::proxies::ConnectionPeer;

/// Connections in the reserve. One more closes the oldest without a response; a health check sends its
/// request at once, so it is answered long before it is the oldest.
const RESERVE_SIZE: usize = 64;

/// Time for the TLS handshake, and for the first line.
const FIRST_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for a health check, and for a refused client to send the rest and read the response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the first line that are looked at.
const MAX_LINE: usize = 256;

/// Interval between log lines about refusals.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Sends refusals, from the reserve. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    reserve: Arc<Mutex<Reserve>>,
    /// Time of the last log line, and refusals since.
    logged: Arc<(Mutex<Option<Instant>>, AtomicU64)>,
}

/// Connections of the reserve in order of arrival, with the token that ends each.
#[derive(Debug, Default)]
struct Reserve {
    next: u64,
    all: BTreeMap<u64, CancellationToken>,
}

/// One connection of the reserve; dropping it makes room, even if its task panicked.
struct ReserveEntry(Refusals, u64);

impl Drop for ReserveEntry {
    fn drop(&mut self) {
        let Self(refusals, number) = self;
        refusals.reserve().all.remove(number);
    }
}

impl Refusals {
    /// Answers a health check, or sends the refusal; then closes.
    pub(crate) fn refuse(&self, accepted: Accepted, reason: NotAdmitted, acceptor: &Acceptor) {
        telemetry::http_connection_refused(reason.reason());
        if reason == NotAdmitted::Full {
            self.log_refusal();
        }
        let (number, ended) = self.enter();
        let (entry, acceptor) = (ReserveEntry(self.clone(), number), acceptor.clone());
        acceptor.life.clone().spawn("refusal", async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = handle(&acceptor, accepted, reason) => {}
            }
            drop(entry);
        });
    }

    fn enter(&self) -> (u64, CancellationToken) {
        let mut reserve = self.reserve();
        if reserve.all.len() >= RESERVE_SIZE
            && let Some((_, oldest)) = reserve.all.pop_first()
        {
            oldest.cancel();
        }
        let (number, ended) = (reserve.next, CancellationToken::new());
        reserve.next += 1;
        reserve.all.insert(number, ended.clone());
        (number, ended)
    }

    fn reserve(&self) -> MutexGuard<'_, Reserve> {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_refusal(&self) {
        let (last, count) = &*self.logged;
        count.fetch_add(1, Ordering::Relaxed);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *last = Some(Instant::now());
            let count = count.swap(0, Ordering::Relaxed);
            tracing::warn!(count, "connections are refused; raise limits.http_connections");
        }
    }
}

async fn handle(acceptor: &Acceptor, accepted: Accepted, reason: NotAdmitted) {
    let caller = accepted.caller();
    match accepted {
        Accepted::Tcp(stream, _) => respond(acceptor, stream, caller, false, reason).await,
        Accepted::Unix(stream) => respond(acceptor, stream, caller, false, reason).await,
        Accepted::Tls(stream, _) => {
            let Some(tls) = acceptor.tls.clone() else { return };
            // Boxed, as it is large.
            let handshake = Box::pin(TlsAcceptor::from(tls).accept(stream));
            if let Ok(Ok(stream)) = timeout(FIRST_LINE_TIMEOUT, handshake).await {
                respond(acceptor, stream, caller, true, reason).await;
            }
        }
    }
}

/// Reads the first line, and answers it.
async fn respond<S>(
    acceptor: &Acceptor,
    mut stream: S,
    caller: ConnectionPeer,
    secure: bool,
    reason: NotAdmitted,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Vec::new();
    // A silent client is refused like others.
    timeout(FIRST_LINE_TIMEOUT, first_line(&mut stream, &mut request)).await.ok();
    if !asks_for_health(&request) {
        timeout(RESPONSE_TIMEOUT, send(stream, &refusal(reason))).await.ok();
        return;
    }
    let connection = HttpConnection::new(acceptor.closing.clone(), acceptor.limit.reserve());
    let (edge, life) = (Arc::clone(&acceptor.edge), acceptor.life.clone());
    let requests = Requests { edge, caller, secure, life, connection };
    let (reader, writer) = split(stream);
    let stream = TokioIo::new(join(request.as_slice().chain(reader), writer));
    let mut http = acceptor.http.clone();
    http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(FIRST_LINE_TIMEOUT);
    // It ends either way.
    timeout(RESPONSE_TIMEOUT, http.serve_connection(stream, requests)).await.ok();
}

async fn first_line(stream: &mut (impl AsyncRead + Unpin), line: &mut Vec<u8>) {
    let mut bytes = [0; MAX_LINE];
    while line.len() < MAX_LINE && !line.contains(&b'\n') {
        match stream.read(&mut bytes).await {
            Ok(read) if read > 0 => line.extend_from_slice(bytes.get(..read).unwrap_or_default()),
            _ => return,
        }
    }
}

/// Whether the first line is that of a liveness or readiness probe.
fn asks_for_health(line: &[u8]) -> bool {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    let is_health = path.ends_with(b"/healthz") || path.ends_with(b"/readyz");
    matches!(method, b"GET" | b"HEAD") && is_health && words.next().is_some()
}

/// Sends a refusal and lingers: closing with unread bytes would reset the connection, and lose it.
async fn send(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &[u8]) {
    if stream.write_all(response).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut linger = Linger::new(true, false);
        poll_fn(|cx| linger.poll(cx, &mut stream)).await;
    }
}

fn refusal(reason: NotAdmitted) -> Vec<u8> {
    let problem = Problem::from(reason);
    let body = serde_json::to_string(&problem).expect("a problem is plain text and numbers");
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let wait = problem.retry_after.unwrap_or(FIRST_LINE_TIMEOUT).as_secs();
    let (length, id) = (body.len(), uuid::Uuid::now_v7());
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Retry-After: {wait}\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_of_health_is_taken_for_one() {
        let good = [
            "GET /healthz HTTP/1.1\r\n",
            "HEAD /readyz?x=1 HTTP/1.1\r\nHost: a",
            "GET /q/readyz HTTP/1.0\n",
        ];
        let bad = [
            "",
            "GET /healthz",
            "POST /healthz HTTP/1.1\r\n",
            "GET /?/healthz HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nGET /healthz HTTP/1.1\r\n",
            "GET /healthz/x HTTP/1.1\r\n",
        ];
        assert!(good.iter().all(|line| asks_for_health(line.as_bytes())));
        for line in bad {
            assert!(!asks_for_health(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn the_oldest_of_the_reserve_makes_room() {
        let refusals = Refusals::default();
        let all: Vec<_> = (0..=RESERVE_SIZE).map(|_| refusals.enter().1).collect();
        let ended = all.iter().filter(|ended| ended.is_cancelled()).count();
        assert_eq!((all[0].is_cancelled(), ended), (true, 1));
    }
}
