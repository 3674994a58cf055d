//! An answer for those that there is no place for. It costs one write, and no more connections wait
//! to have read it than are worth it.
use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use quadrille_core::{Life, Problem, Refused, telemetry};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::Semaphore,
};

use crate::{linger::Linger, listen::Accepted};

/// How many are answered at once. More are closed without a word.
const AT_ONCE: usize = 64;

/// How long one may take to send what it has begun, and to read its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// When to come back.
const WAIT: Duration = Duration::from_secs(1);

/// How often to log that there are some.
const COMPLAIN: Duration = Duration::from_secs(10);

/// How those are treated that there is no place for. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    answering: Arc<Semaphore>,
    /// When it was logged last, and how many were refused since.
    complained: Arc<(Mutex<Option<Instant>>, AtomicU64)>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { answering: Arc::new(Semaphore::new(AT_ONCE)), complained: Arc::default() }
    }
}

impl Refusals {
    /// Say why, where that needs no handshake first, and close.
    pub(crate) fn refuse(&self, accepted: Accepted, why: Refused, life: &Life) {
        telemetry::http_connection_refused(why);
        if why == Refused::Full {
            self.complain();
        }
        let Ok(answering) = Arc::clone(&self.answering).try_acquire_owned() else { return };
        life.spawn("refusal", async move {
            let answer = answer(why);
            let said = async {
                match accepted {
                    Accepted::Tcp(stream, _) => say(stream, &answer).await,
                    Accepted::Unix(stream) => say(stream, &answer).await,
                    Accepted::Tls(..) => {}
                }
            };
            tokio::time::timeout(PATIENCE, said).await.ok();
            drop(answering);
        });
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

/// Closing at once would throw away what the peer has sent, and the answer with it.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    if stream.write_all(answer).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut linger = Linger::new(true, false);
        poll_fn(|cx| linger.poll(cx, &mut stream)).await;
    }
}

fn answer(why: Refused) -> Vec<u8> {
    let problem = Problem::from(why);
    let body = serde_json::to_string(&problem).expect("a problem is plain text and numbers");
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let wait = problem.retry_after.unwrap_or(WAIT).as_secs();
    let (length, id) = (body.len(), uuid::Uuid::now_v7());
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Retry-After: {wait}\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
