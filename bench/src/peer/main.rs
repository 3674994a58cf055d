//! Comparison servers: the least broker that axum's WebSocket makes, in two ways of writing, the least
//! relay, and rooms by socketioxide.
//!
//! The brokers know the envelope form of a subscription and plain publications, nothing else, and no
//! reader loses anything: a publisher waits for the slowest. Their cost is that of the library's
//! write path.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use clap::Parser;
use tokio::net::TcpListener;

use crate::channels::Channels;

mod channels;
mod connection;
mod relay;
mod rooms;

#[derive(Debug, Parser)]
#[command(about = "Minimal servers to compare with")]
enum Command {
    /// axum with its default buffers: every message is sent and flushed by itself.
    #[command(name = "axum-flush")]
    Flush(Listen),
    /// axum with small read buffers: everything queued is fed, then flushed once.
    #[command(name = "axum-feed")]
    Feed(Listen),
    /// Rooms over Socket.IO by socketioxide.
    Socketioxide(Listen),
    /// Questions over HTTP to a Cat, with a connection kept for each user.
    #[command(name = "axum-relay")]
    Relay {
        #[command(flatten)]
        listen: Listen,
        /// Where the Cat listens.
        #[arg(long)]
        cat: String,
    },
}

#[derive(Debug, clap::Args)]
struct Listen {
    #[arg(long, default_value = "127.0.0.1:8090")]
    addr: SocketAddr,
}

/// How queued messages reach the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    FlushEach,
    FeedAll,
}

#[derive(Debug)]
struct Peer {
    channels: Channels,
    write: Write,
    next_id: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let (listen, app) = match Command::parse() {
        Command::Flush(listen) => (listen, broadcast(Write::FlushEach)),
        Command::Feed(listen) => (listen, broadcast(Write::FeedAll)),
        Command::Socketioxide(listen) => (listen, rooms::router()),
        Command::Relay { listen, cat } => {
            let relay = Arc::new(relay::Relay::new(cat));
            (listen, Router::new().route("/send", post(relay::send)).with_state(relay))
        }
    };
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit on open files")?;
    let listener = TcpListener::bind(listen.addr)
        .await
        .with_context(|| format!("cannot listen on {}", listen.addr))?;
    let addr = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on {addr}")?;

    // Without it small messages wait for acknowledgements. A failure shows in the figures.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await.context("the server failed")
}

fn broadcast(write: Write) -> Router {
    let peer = Arc::new(Peer { channels: Channels::default(), write, next_id: AtomicU64::new(0) });
    Router::new().route("/ws", get(upgrade)).with_state(peer)
}

async fn upgrade(State(peer): State<Arc<Peer>>, upgrade: WebSocketUpgrade) -> Response {
    const SMALL_READ_BUFFER: usize = 4 * 1024;
    let upgrade = match peer.write {
        Write::FlushEach => upgrade,
        Write::FeedAll => upgrade.read_buffer_size(SMALL_READ_BUFFER),
    };
    upgrade.on_upgrade(async move |socket| {
        let id = peer.next_id.fetch_add(1, Ordering::Relaxed);
        // How a connection ended is of no interest here.
        drop(connection::serve(socket, id, &peer.channels, peer.write).await);
    })
}
