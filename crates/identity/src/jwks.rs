//! Keys that somebody else keeps: a JWK set in a file or at an address, read again now and then.
//!
//! One task reads it, for the whole process, so that no client can end a reading that others wait
//! for. The keys of the last good reading stay until there is a better one.
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

use super::key::{self, Key};

/// How often the set is read.
const EVERY: Duration = Duration::from_mins(15);

/// How soon again after a failure, and how soon again for tokens with a key that is not in it.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a reading may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest set, in bytes.
const MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Jwks {
    /// As it was configured.
    place: String,
    source: Source,
    keys: RwLock<Arc<[Key]>>,
    wanted: Notify,
    state: watch::Sender<State>,
    retired: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The set is being read, or is about to be.
    reading: bool,
    /// It has been read at least once.
    read: bool,
    /// When a token's key was last looked for.
    asked: Option<Instant>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    /// The client goes to no other host than that of the address: it follows no redirects.
    Address(Url, Client),
}

/// There are no keys to be had.
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
    #[error("it is larger than {MAX} bytes")]
    TooLarge,
    #[error("it is not a JWK set: {{\"keys\":[…]}}")]
    NotASet,
    #[error("none of its keys is a public key for RS256, ES256 or EdDSA")]
    Empty,
    #[error("expected a path, or an address such as https://id.example/jwks.json without a user")]
    Address,
}

impl From<io::Error> for NoKeys {
    fn from(why: io::Error) -> Self {
        Self::Unreadable(why)
    }
}

// === impl Source ===

impl Source {
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
            .timeout(PATIENCE)
            .user_agent(concat!("quadrille/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(NoKeys::Client)?;
        Ok(Self::Address(url, client))
    }

    async fn read(&self) -> Result<Vec<Key>, NoKeys> {
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
                    if body.len() + chunk.len() > MAX {
                        return Err(NoKeys::TooLarge);
                    }
                    body.extend_from_slice(&chunk);
                }
                parse(&body)
            }
        }
    }
}

/// Without the address, which may have a secret in its query.
fn unreachable(why: reqwest::Error) -> NoKeys {
    NoKeys::Unreachable(why.without_url())
}

fn read_file(path: &Path) -> Result<Vec<Key>, NoKeys> {
    let mut body = Vec::new();
    fs::File::open(path)?.take(MAX as u64 + 1).read_to_end(&mut body)?;
    if body.len() > MAX {
        return Err(NoKeys::TooLarge);
    }
    parse(&body)
}

/// A set without a usable key is more likely a mistake than a wish to lock everybody out.
fn parse(body: &[u8]) -> Result<Vec<Key>, NoKeys> {
    let keys = key::of_set(body).ok_or(NoKeys::NotASet)?;
    if keys.is_empty() { Err(NoKeys::Empty) } else { Ok(keys) }
}

// === impl Jwks ===

impl Jwks {
    /// The set at `place`. A file has to be good now; an address is first asked by [`Self::run`].
    pub(super) fn open(place: &str) -> Result<Self, NoKeys> {
        let source = Source::parse(place)?;
        let (keys, read) = match &source {
            Source::File(path) => (read_file(path)?, true),
            Source::Address(..) => (Vec::new(), false),
        };
        // The first reading of an address is as good as begun: who comes before it waits for it.
        let state = watch::Sender::new(State { read, reading: !read, asked: None });
        let (keys, wanted) = (RwLock::new(keys.into()), Notify::new());
        let (place, retired) = (place.to_owned(), CancellationToken::new());
        Ok(Self { place, source, keys, wanted, state, retired })
    }

    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place == place
    }

    /// Read a set that was opened, and not read yet.
    pub(super) async fn fetch(&self) -> Result<(), NoKeys> {
        if self.is_known() { Ok(()) } else { self.take(self.source.read().await) }
    }

    /// Read the set once more: a file now, and an address soon.
    pub(super) async fn again(&self) -> Result<(), NoKeys> {
        if let Source::Address(..) = self.source {
            self.wanted.notify_one();
            return Ok(());
        }
        self.take(self.source.read().await)
    }

    /// End [`Self::run`].
    pub(super) fn retire(&self) {
        self.retired.cancel();
    }

    /// Whether it was read or not, that is over; the keys change if it was.
    fn take(&self, read: Result<Vec<Key>, NoKeys>) -> Result<(), NoKeys> {
        let read = read.map(|keys| {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        });
        self.state.send_modify(|state| {
            state.reading = false;
            state.read |= read.is_ok();
        });
        read
    }

    pub(super) fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the set was read at least once.
    pub(super) fn is_known(&self) -> bool {
        self.state.borrow().read
    }

    /// A token names a key that is not in the set: read it again, if that was not done just now,
    /// and return when it is done.
    pub(super) async fn renew(&self) {
        let mut wait = false;
        self.state.send_if_modified(|state| {
            let recent = state.asked.is_some_and(|at| at.elapsed() < PAUSE);
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
            // An error is that it took too long, and then the keys are what they are.
            tokio::time::timeout(2 * PATIENCE, state.wait_for(|it| !it.reading)).await.ok();
        }
    }

    /// Read the set, again and again, until it is retired or the process stops.
    pub(super) async fn run(self: Arc<Self>, life: Life) {
        let mut pause = if self.is_known() { EVERY } else { Duration::ZERO };
        loop {
            tokio::select! {
                () = life.draining() => return,
                () = self.retired.cancelled() => {
                    // Nobody shall wait for it.
                    self.state.send_modify(|state| state.reading = false);
                    return;
                }
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            self.state.send_modify(|state| state.reading = true);
            let read = self.source.read().await;
            let told = read.as_ref().map(Vec::len).map_err(|why| why as _);
            telemetry::keys_read(told, self.is_known());
            pause = if self.take(read).is_ok() { EVERY } else { PAUSE };
        }
    }
}
