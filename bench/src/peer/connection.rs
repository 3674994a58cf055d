//! One WebSocket: reads subscriptions and publications, writes its queue.

use std::borrow::Cow;

use axum::Error;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt;
use serde::Deserialize;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::Write;
use crate::channels::Channels;

/// Messages that may wait for one connection; a publisher waits for room.
const QUEUE: usize = 256;

#[derive(Deserialize)]
struct Publication<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    payload: Publication<'a>,
}

/// Serves one connection until it ends. The error is how it ended, which nobody asks for.
pub(crate) async fn serve(
    mut socket: WebSocket,
    id: u64,
    channels: &Channels,
    write: Write,
) -> Result<(), Error> {
    let (queue, mut due) = mpsc::channel(QUEUE);
    let mut subscribed = Vec::new();
    let end = pump(&mut socket, id, channels, write, &queue, &mut due, &mut subscribed).await;
    // Let go of publishers that wait for room in this queue.
    due.close();
    for channel in &subscribed {
        channels.leave(channel, id);
    }
    end
}

async fn pump(
    socket: &mut WebSocket,
    id: u64,
    channels: &Channels,
    write: Write,
    queue: &Sender<Utf8Bytes>,
    due: &mut Receiver<Utf8Bytes>,
    subscribed: &mut Vec<String>,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            Some(message) = due.recv() => match write {
                Write::FlushEach => socket.send(Message::Text(message)).await?,
                Write::FeedAll => {
                    socket.feed(Message::Text(message)).await?;
                    while let Ok(message) = due.try_recv() {
                        socket.feed(Message::Text(message)).await?;
                    }
                    socket.flush().await?;
                }
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Ok(envelope) = serde_json::from_str::<Publication<'_>>(&text) else {
                        continue;
                    };
                    if envelope.channel != "subscription" {
                        channels.publish(&envelope.channel, id, &text).await;
                    } else if let Ok(subscription) = serde_json::from_str(&text) {
                        let Subscription { payload } = subscription;
                        let channel = payload.channel.into_owned();
                        channels.subscribe(&channel, id, queue.clone());
                        socket.send(acknowledge(&channel)).await?;
                        subscribed.push(channel);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}

fn acknowledge(channel: &str) -> Message {
    let payload = serde_json::json!({ "action": "subscribed", "channel": channel });
    let frame = serde_json::json!({ "channel": "subscription", "payload": payload });
    Message::Text(frame.to_string().into())
}
