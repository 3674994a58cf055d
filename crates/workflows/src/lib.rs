//! Workflows: spreadsheet jobs of many steps over HTTP, and one WebSocket for each chat that shows
//! their progress; the protocol is in `docs/protocol/workflows.md`.
mod archive;
mod bot;
mod digest;
mod door;
mod engine;
mod http;
mod locks;
mod news;
mod room;
mod socket;
mod wire;

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

use crate::{door::Door, engine::Scratch};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "workflows";

/// Where chats are watched: the WebSocket of a chat is below it.
pub const PATH: &str = "/chat";

/// Where chats begin.
pub const CHATS: &str = "/api/v1/chat/workflows";

/// Where archives of chats are.
const DOWNLOADS: &str = "/api/v1/chat/downloads";

/// Where operators have the database copied.
const BACKUP: &str = "/api/v1/chat/sqlite/backup";

/// Section `workflows` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether workflows are served at all.
    pub enabled: bool,
    /// Connections that watch chats, at most; 0 is as many as the server takes.
    pub max_connections: usize,
    /// Bytes of one message from a client. A larger one closes the connection with 1009.
    pub max_message_size: usize,
    /// How often to ping; zero is never.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long after a ping something must have come, or the connection is closed with 3012.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// How long a connection may take no data while there is some, before it is closed with 3008;
    /// zero is for ever.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// Runs that are done at once; 0 is one for each core.
    pub workers: usize,
    /// Runs that may wait. One more is refused with 503.
    pub max_waiting: usize,
    /// Steps of one run, at most.
    pub max_steps: usize,
    /// How long a run belongs to its worker without a sign of life. After a crash, the run goes on
    /// that much later.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// How often a step is begun before its run is given up.
    pub max_attempts: u32,
    /// Where files are worked on. What a crash leaves there is removed at the next start.
    pub scratch: PathBuf,
    /// Normalisation keeps the column as it was, too, where the request does not say.
    pub backup_original: bool,
    /// The agent that answers the bot's users where the bot itself does not understand them; empty
    /// is nobody.
    pub agent: String,
    /// How long archives can be downloaded.
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
    /// Bytes of memory that work on tables takes at most: runs have so many workers, and requests
    /// with a file of their own as many.
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

/// The doors of workflows, and the description of those over HTTP. Runs that wait are done from now
/// on.
pub fn router(
    core: &Core,
    desk: Desk,
    memory: Storage,
    config: Config,
) -> Result<(Router, OpenApi), StartError> {
    let scratch = open(&config.scratch)?;
    let door = Arc::new(Door::new(core.clone(), desk, memory, config, scratch));
    engine::start(&door);
    let (router, described) = http::router(&door);
    Ok((socket::router(&door).merge(router), described))
}

fn open(path: &Path) -> Result<Scratch, StartError> {
    Scratch::open(path).map_err(|why| StartError(path.to_owned(), why))
}
