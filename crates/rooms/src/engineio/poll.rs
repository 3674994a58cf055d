//! Polling: a GET waits for packets, a POST brings some.
use std::{future::poll_fn, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use quadrille_core::{Close, json};
use quadrille_edge::{
    http::{BadBody, whole},
    sse::NOT_KEPT,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    error::Error,
    packet::{CLOSE, NOOP, Packet},
    sessions::Slot,
    work::{Refused, Work},
};
use crate::socketio::{Client, Flow};

/// Wait of a client's farewell for the poll that it sent just before, over another connection.
const OVERTAKEN: Duration = Duration::from_millis(100);

/// Packets, as the body of an answer.
pub(super) fn body(packets: String) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=UTF-8"), (CACHE_CONTROL, NOT_KEPT)];
    (headers, packets).into_response()
}

/// Wait for packets, but no longer than until the next ping.
pub(super) async fn read(slot: &Arc<Slot>) -> Response {
    let reading = match slot.begin(Work::Reading) {
        Ok(guard) => guard,
        Err(why) => return refuse(slot, why),
    };
    let answer = next(slot, reading.is_probed()).await;
    reading.answered();
    answer
}

async fn next(slot: &Slot, is_probed: bool) -> Response {
    loop {
        let due = slot.due().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            packets = poll_fn(|cx| slot.poll_read(cx)) => {
                return match packets {
                    Some(packets) if !packets.is_empty() => body(packets),
                    Some(_) => body(NOOP.to_owned()),
                    // Who polls during an upgrade that waits for no poll has no reason to.
                    None if is_probed && slot.is_upgraded() => Error::Session.into_response(),
                    None if slot.is_upgraded() => body(NOOP.to_owned()),
                    None => match slot.farewell() {
                        Some(packet) => body(packet.to_owned()),
                        None => Error::Session.into_response(),
                    },
                };
            }
            () = sleep_until(due) => slot.ping(Instant::now()),
        }
    }
}

/// Take the packets of a body, one after the other.
pub(super) async fn write(slot: &Arc<Slot>, request: Request) -> Response {
    let _writing = match slot.begin(Work::Writing) {
        Ok(guard) => guard,
        Err(why) => return refuse(slot, why),
    };
    let limit = slot.with(|client, _| client.door.config.max_message_size).unwrap_or_default();
    let text = match text(request, limit).await {
        Ok(text) => text,
        Err(why) => {
            slot.close(&match why {
                Error::TooLarge => Close::TOO_BIG,
                Error::Busy => Close::BUSY,
                _ => Close::PROTOCOL,
            });
            return why.into_response();
        }
    };
    let Ok(packets) = Packet::all(&text) else {
        slot.close(&Close::PROTOCOL);
        return Error::Request.into_response();
    };
    for packet in packets {
        if slot.is_ending() {
            break;
        }
        let flow = match packet {
            Packet::Message(message) => slot.with(|client, link| client.packet(message, link)),
            Packet::Binary => slot.with(Client::attachment),
            Packet::Close => {
                // At the time-out there is none, and nobody to be told.
                timeout(OVERTAKEN, poll_fn(|cx| slot.poll_reader(cx))).await.ok();
                slot.part(&Close::NORMAL, NOOP);
                break;
            }
            Packet::Life => Some(Flow::Continue),
            Packet::Unknown => Some(Flow::Close(Close::PROTOCOL)),
        };
        match flow {
            None => return Error::Session.into_response(),
            Some(Flow::Continue) => {}
            Some(Flow::Wait(work)) => {
                let then = work.await;
                slot.with(|client, link| then(client, link));
            }
            Some(Flow::Close(why)) => {
                slot.part(&why, CLOSE);
                break;
            }
        }
        if slot.is_congested() {
            // Whoever asks for this much without polling does not want the answers.
            slot.close(&Close::SLOW);
            return Error::Request.into_response();
        }
    }
    body("ok".to_owned())
}

async fn text(request: Request, limit: usize) -> Result<String, Error> {
    let (bytes, _counted) = whole(request, limit).await.map_err(|err| match err {
        BadBody::TooLarge(_) => Error::TooLarge,
        BadBody::Busy(_) => Error::Busy,
        _ => Error::Request,
    })?;
    let text = String::from_utf8(bytes).map_err(|_| Error::Request)?;
    Ok(text.strip_prefix(json::MARK).map(str::to_owned).unwrap_or(text))
}

/// Two requests of one kind at once are a mistake of the client, which has lost track.
fn refuse(slot: &Slot, why: Refused) -> Response {
    match why {
        Refused::Gone => Error::Session.into_response(),
        Refused::Overlap => {
            slot.part(&Close::PROTOCOL, CLOSE);
            Error::Request.into_response()
        }
    }
}
