//! A JWK set in a file or at an address, read again from time to time.
//!
//! One task reads it, for the whole process, so that no client can cancel a reading that others wait
//! for. The keys of the last valid reading stay until the next.
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use quadrille_core::{Life, telemetry};
use reqwest::{Client, StatusCode, Url, header, redirect};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::key::{self, VerifyingKey};

/// Time between two readings of the set.
const READ_INTERVAL: Duration = Duration::from_mins(15);

/// Time until the next reading after a failure, or for another token with an unknown key.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Upper bound on the time of one reading.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Upper bound on a set, in bytes.
const MAX_SET: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Jwks {
    /// As it was configured.
    place: String,
    source: KeySource,
    keys: RwLock<Arc<[VerifyingKey]>>,
    wanted: Notify,
    state: watch::Sender<State>,
    retired: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The set is being read, or is about to be.
    reading: bool,
    /// The set has been read at least once.
    read: bool,
    /// Time of the last reading for the sake of a token.
    asked: Option<Instant>,
}

#[derive(Debug)]
enum KeySource {
    File(PathBuf),
    /// The client stays at the host of the address: it follows no redirects.
    Address(Url, Client),
}

/// The set has no usable keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    #[error("cannot read it: {0}")]
    Unreadable(io::Error),
    #[error("cannot fetch it")]
    Unreachable(#[source] reqwest::Error),
    #[error("cannot make an HTTP client; install the ca-certificates of the system")]
    Client(#[source] reqwest::Error),
    #[error("the answer to the request for it is {0}")]
    Status(StatusCode),
    #[error("it is larger than {MAX_SET} bytes")]
    TooLarge,
    #[error("it is not a JWK set: {{\"keys\":[…]}}")]
    NotASet,
    #[error("none of its keys is a public key for RS256, ES256 or EdDSA")]
    Empty,
    #[error("expected a path, or an address such as https://id.example/jwks.json without a user")]
    Address,
}

impl From<io::Error> for NoKeys {
    fn from(err: io::Error) -> Self {
        Self::Unreadable(err)
    }
}

// === impl KeySource ===

impl KeySource {
    fn parse(text: &str) -> Result<Self, NoKeys> {
        let is_address = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_address {
            return Ok(Self::File(text.into()));
        }
        let url = Url::parse(text).map_err(|_| NoKeys::Address)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NoKeys::Address);
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(url.scheme() == "https")
            .timeout(READ_TIMEOUT)
            .user_agent(concat!("quadrille/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(NoKeys::Client)?;
        Ok(Self::Address(url, client))
    }

    async fn read(&self) -> Result<Vec<VerifyingKey>, NoKeys> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path));
                read.await.map_err(io::Error::other)?
            }
            Self::Address(url, client) => {
                let accept = "application/jwk-set+json, application/json";
                let request = client.get(url.clone()).header(header::ACCEPT, accept);
                let mut answer = request.send().await.map_err(unreachable)?;
                if answer.status() != StatusCode::OK {
                    return Err(NoKeys::Status(answer.status()));
                }
                let mut body = Vec::new();
                while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
                    if body.len() + chunk.len() > MAX_SET {
                        return Err(NoKeys::TooLarge);
                    }
                    body.extend_from_slice(&chunk);
                }
                parse(&body)
            }
        }
    }
}

/// Removes the address from the error: it may have a secret in its query.
fn unreachable(err: reqwest::Error) -> NoKeys {
    NoKeys::Unreachable(err.without_url())
}

fn read_file(path: &Path) -> Result<Vec<VerifyingKey>, NoKeys> {
    let mut body = Vec::new();
    fs::File::open(path)?.take(MAX_SET as u64 + 1).read_to_end(&mut body)?;
    if body.len() > MAX_SET {
        return Err(NoKeys::TooLarge);
    }
    parse(&body)
}

/// Parses a set. One without a usable key is an error: more likely a mistake than a wish to lock all
/// clients out.
fn parse(body: &[u8]) -> Result<Vec<VerifyingKey>, NoKeys> {
    let keys = key::of_set(body).ok_or(NoKeys::NotASet)?;
    if keys.is_empty() { Err(NoKeys::Empty) } else { Ok(keys) }
}

// === impl Jwks ===

impl Jwks {
    /// Opens the set at `place`. A file has to be valid now; an address is first read by [`Self::run`].
    pub(super) fn open(place: &str) -> Result<Self, NoKeys> {
        let source = KeySource::parse(place)?;
        let (keys, read) = match &source {
            KeySource::File(path) => (read_file(path)?, true),
            KeySource::Address(..) => (Vec::new(), false),
        };
        // The first reading of an address counts as begun: tokens that come before wait for it.
        let state = watch::Sender::new(State { read, reading: !read, asked: None });
        let (keys, wanted) = (RwLock::new(keys.into()), Notify::new());
        let (place, retired) = (place.to_owned(), CancellationToken::new());
        Ok(Self { place, source, keys, wanted, state, retired })
    }

    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place == place
    }

    /// Reads a set that was opened, and not read yet.
    pub(super) async fn fetch(&self) -> Result<(), NoKeys> {
        if self.is_known() { Ok(()) } else { self.take(self.source.read().await) }
    }

    /// Reads the set once more: a file now, and an address soon.
    pub(super) async fn again(&self) -> Result<(), NoKeys> {
        if let KeySource::Address(..) = self.source {
            self.wanted.notify_one();
            return Ok(());
        }
        self.take(self.source.read().await)
    }

    /// Ends [`Self::run`].
    pub(super) fn retire(&self) {
        self.retired.cancel();
    }

    /// Ends a reading; the keys change if it succeeded.
    fn take(&self, read: Result<Vec<VerifyingKey>, NoKeys>) -> Result<(), NoKeys> {
        let read = read.map(|keys| {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        });
        self.state.send_modify(|state| {
            state.reading = false;
            state.read |= read.is_ok();
        });
        read
    }

    pub(super) fn keys(&self) -> Arc<[VerifyingKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the set was read at least once.
    pub(super) fn is_known(&self) -> bool {
        self.state.borrow().read
    }

    /// Reads the set again for a token with an unknown key, and waits for it; at most once in
    /// [`RETRY_INTERVAL`].
    pub(super) async fn renew(&self) {
        let mut wait = false;
        self.state.send_if_modified(|state| {
            let recent = state.asked.is_some_and(|at| at.elapsed() < RETRY_INTERVAL);
            wait = state.reading || !recent;
            let ask = !state.reading && !recent;
            if ask {
                (state.asked, state.reading) = (Some(Instant::now()), true);
                self.wanted.notify_one();
            }
            ask
        });
        if wait {
            let mut state = self.state.subscribe();
            // On a timeout the keys stay as they are.
            tokio::time::timeout(2 * READ_TIMEOUT, state.wait_for(|state| !state.reading))
                .await
                .ok();
        }
    }

    /// Reads the set again and again, until it is retired or the process stops.
    pub(super) async fn run(self: Arc<Self>, life: Life) {
        let mut pause = if self.is_known() { READ_INTERVAL } else { Duration::ZERO };
        loop {
            tokio::select! {
                () = life.draining() => return,
                () = self.retired.cancelled() => {
                    // No token waits for it any more.
                    self.state.send_modify(|state| state.reading = false);
                    return;
                }
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            self.state.send_modify(|state| state.reading = true);
            let read = self.source.read().await;
            let told = read.as_ref().map(Vec::len).map_err(|err| err as _);
            telemetry::keys_read(told, self.is_known());
            pause = if self.take(read).is_ok() { READ_INTERVAL } else { RETRY_INTERVAL };
        }
    }
}
