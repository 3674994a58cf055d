//! An answer for those that there is no place for. A small reserve of connections, each for a moment,
//! is kept to give it; in it, health is answered as ever.
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
use quadrille_core::{Refused, telemetry};
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

/// Connections in the reserve. For one more, the oldest is closed without a word: a check of health
/// says at once what it wants, so it is answered long before it is the oldest.
const AT_ONCE: usize = 64;

/// How long one may take for each of: a handshake of TLS, and its first line.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a check of health may take, and a refused client to send the rest and read its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Bytes that are read to find out what a client wants.
const LINE: usize = 256;

/// How often to log that there are some.
const COMPLAIN: Duration = Duration::from_secs(10);

/// How those are treated that there is no place for. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    answering: Arc<Mutex<Answering>>,
    /// When it was logged last, and how many were refused since.
    complained: Arc<(Mutex<Option<Instant>>, AtomicU64)>,
}

/// The connections of the reserve, and how each is ended, in the order in which they came.
#[derive(Debug, Default)]
struct Answering {
    next: u64,
    all: BTreeMap<u64, CancellationToken>,
}

/// One connection of the reserve; dropping it makes room, however its task ended.
struct Entered(Refusals, u64);

impl Drop for Entered {
    fn drop(&mut self) {
        let Self(refusals, number) = self;
        refusals.answering().all.remove(number);
    }
}

impl Refusals {
    /// Answers a check of health, and says why to everybody else; then closes.
    pub(crate) fn refuse(&self, accepted: Accepted, reason: Refused, acceptor: &Acceptor) {
        telemetry::http_connection_refused(reason);
        if reason == Refused::Full {
            self.complain();
        }
        let (number, ended) = self.enter();
        let (entered, acceptor) = (Entered(self.clone(), number), acceptor.clone());
        acceptor.life.clone().spawn("refusal", async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = attend(&acceptor, accepted, reason) => {}
            }
            drop(entered);
        });
    }

    fn enter(&self) -> (u64, CancellationToken) {
        let mut answering = self.answering();
        if answering.all.len() >= AT_ONCE
            && let Some((_, oldest)) = answering.all.pop_first()
        {
            oldest.cancel();
        }
        let (number, ended) = (answering.next, CancellationToken::new());
        answering.next += 1;
        answering.all.insert(number, ended.clone());
        (number, ended)
    }

    fn answering(&self) -> MutexGuard<'_, Answering> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complain(&self) {
        let (last, count) = &*self.complained;
        count.fetch_add(1, Ordering::Relaxed);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            *last = Some(Instant::now());
            let count = count.swap(0, Ordering::Relaxed);
            tracing::warn!(count, "connections are refused; raise limits.http_connections");
        }
    }
}

async fn attend(acceptor: &Acceptor, accepted: Accepted, reason: Refused) {
    let caller = accepted.caller();
    match accepted {
        Accepted::Tcp(stream, _) => hear(acceptor, stream, caller, false, reason).await,
        Accepted::Unix(stream) => hear(acceptor, stream, caller, false, reason).await,
        Accepted::Tls(stream, _) => {
            let Some(tls) = acceptor.tls.clone() else { return };
            // In a box, for it is large.
            let agreed = Box::pin(TlsAcceptor::from(tls).accept(stream));
            if let Ok(Ok(stream)) = timeout(PATIENCE, agreed).await {
                hear(acceptor, stream, caller, true, reason).await;
            }
        }
    }
}

/// Finds out what a client wants, and answers it.
async fn hear<S>(
    acceptor: &Acceptor,
    mut stream: S,
    caller: ConnectionPeer,
    secure: bool,
    reason: Refused,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut heard = Vec::new();
    // Who says nothing is refused like others.
    timeout(PATIENCE, first_line(&mut stream, &mut heard)).await.ok();
    if !asks_for_health(&heard) {
        timeout(ANSWER, say(stream, &answer(reason))).await.ok();
        return;
    }
    let purpose = HttpConnection::new(acceptor.closing.clone(), acceptor.limit.reserve());
    let (edge, life) = (Arc::clone(&acceptor.edge), acceptor.life.clone());
    let requests = Requests { edge, caller, secure, life, purpose };
    let (reader, writer) = split(stream);
    let stream = TokioIo::new(join(heard.as_slice().chain(reader), writer));
    let mut http = acceptor.http.clone();
    http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(PATIENCE);
    // It is over either way.
    timeout(ANSWER, http.serve_connection(stream, requests)).await.ok();
}

async fn first_line(stream: &mut (impl AsyncRead + Unpin), heard: &mut Vec<u8>) {
    let mut bytes = [0; LINE];
    while heard.len() < LINE && !heard.contains(&b'\n') {
        match stream.read(&mut bytes).await {
            Ok(read) if read > 0 => heard.extend_from_slice(bytes.get(..read).unwrap_or_default()),
            _ => return,
        }
    }
}

/// Whether a request that begins like this asks whether the process lives or takes traffic.
fn asks_for_health(heard: &[u8]) -> bool {
    let line = heard.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    let is_health = path.ends_with(b"/healthz") || path.ends_with(b"/readyz");
    matches!(method, b"GET" | b"HEAD") && is_health && words.next().is_some()
}

/// Closing at once would throw away what the peer has sent, and the answer with it.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    if stream.write_all(answer).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut linger = Linger::new(true, false);
        poll_fn(|cx| linger.poll(cx, &mut stream)).await;
    }
}

fn answer(reason: Refused) -> Vec<u8> {
    let problem = Problem::from(reason);
    let body = serde_json::to_string(&problem).expect("a problem is plain text and numbers");
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let wait = problem.retry_after.unwrap_or(PATIENCE).as_secs();
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
        assert!(good.iter().all(|heard| asks_for_health(heard.as_bytes())));
        for heard in bad {
            assert!(!asks_for_health(heard.as_bytes()), "{heard:?}");
        }
    }

    #[test]
    fn the_oldest_of_the_reserve_makes_room() {
        let refusals = Refusals::default();
        let all: Vec<_> = (0..=AT_ONCE).map(|_| refusals.enter().1).collect();
        let ended = all.iter().filter(|ended| ended.is_cancelled()).count();
        assert_eq!((all[0].is_cancelled(), ended), (true, 1));
    }
}
