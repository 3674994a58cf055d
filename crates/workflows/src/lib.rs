//! Workflows: spreadsheet jobs of many steps over HTTP, and one WebSocket for each chat that shows
//! their progress; the protocol is in `docs/protocol/workflows.md`.
mod archive;
mod bot;
mod digest;
mod direct_limit;
mod engine;
mod http;
mod locks;
mod run_events;
mod scratch;
mod socket;
mod state;
mod values;
mod wire;
mod workers;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use quadrille_agents::Desk;
use quadrille_edge::{Core, ws};
use quadrille_store::Storage;
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;

use crate::{scratch::Scratch, state::State};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "workflows";

/// Path of the WebSocket; a chat's own is below it.
pub const PATH: &str = "/chat";

/// Path of the collection of chats.
pub const CHATS: &str = "/api/v1/chat/workflows";

/// Base path of the endpoints that need no chat.
const API: &str = "/api/v1";

/// Path of the collection of conversations with the bot.
const CONVERSATIONS: &str = "/api/v1/chat/bot/conversations";

/// Path of the archives of chats.
const DOWNLOADS: &str = "/api/v1/chat/downloads";

/// Path where operators back up the database.
const BACKUP: &str = "/api/v1/chat/sqlite/backup";

/// Section `workflows` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Serves workflows.
    pub enabled: bool,
    /// Upper bound on WebSocket connections; 0 leaves it to the server's own limit.
    pub max_connections: usize,
    /// Upper bound on a message from a client, in bytes. A larger one closes the connection with
    /// 1009.
    pub max_message_size: usize,
    /// Interval between pings; zero sends none.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// Time to wait for data after a ping. If none comes, the connection is closed with 3012.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// Time that pending data may wait for the client to read it. After that, the connection is
    /// closed with 3008; zero waits forever.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// Number of runs executed at once; 0 is one per core.
    pub workers: usize,
    /// Upper bound on waiting runs. One more is refused with 503.
    pub max_waiting: usize,
    /// Upper bound on the steps of a run.
    pub max_steps: usize,
    /// Time that a worker keeps a run without renewing it. After a crash, the run resumes when this
    /// has passed.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// Number of attempts at a step. After the last, its run is interrupted.
    pub max_attempts: u32,
    /// Folder for files in use. Leftovers of a crash are removed at the next start.
    pub scratch: PathBuf,
    /// Keeps the original column beside the normalised one, unless the request says otherwise.
    pub backup_original: bool,
    /// Agent that answers messages that the bot does not understand; empty is none.
    pub agent: String,
    /// Time that archives stay available for download.
    #[serde(with = "humantime_serde")]
    pub keep_downloads: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            max_connections: 0,
            max_message_size: 1 << 20,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            workers: 0,
            max_waiting: 100,
            max_steps: 100,
            lease: Duration::from_secs(15),
            max_attempts: 5,
            scratch: "data/scratch".into(),
            backup_original: true,
            agent: String::new(),
            keep_downloads: Duration::from_hours(24),
        }
    }
}

impl Config {
    /// Upper bound on the memory that tables take, in bytes: runs have `workers` workers, and
    /// requests with a file of their own have as many.
    pub fn memory(&self) -> usize {
        2_usize
            .saturating_mul(self.workers())
            .saturating_mul(quadrille_tabular::Limits::default().memory())
    }

    fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}

impl From<&Config> for ws::Config {
    fn from(config: &Config) -> Self {
        Self {
            max_message_size: config.max_message_size,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            write_timeout: config.write_timeout,
        }
    }
}

/// The scratch folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", self.key(), self.expected())]
pub struct StartError(PathBuf, #[source] std::io::Error);

impl StartError {
    /// The key of the configuration.
    pub fn key(&self) -> &'static str {
        "workflows.scratch"
    }

    /// The expectation that the value does not meet.
    pub fn expected(&self) -> String {
        format!("cannot use {}: {}", self.0.display(), self.1)
    }
}

/// Returns the routes of workflows and the description of their HTTP API, and starts the workers.
pub fn router(
    core: &Core,
    desk: Desk,
    memory: Storage,
    config: Config,
) -> Result<(Router, OpenApi), StartError> {
    let scratch = open(&config.scratch)?;
    let state = Arc::new(State::new(core.clone(), desk, memory, config, scratch));
    engine::start(&state);
    let (router, api) = http::router(&state);
    Ok((socket::router(&state).merge(router), api))
}

fn open(path: &Path) -> Result<Scratch, StartError> {
    Scratch::open(path).map_err(|err| StartError(path.to_owned(), err))
}
