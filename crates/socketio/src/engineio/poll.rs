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
    ws::Flow,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    error::Error,
    guard::Guard,
    handler::Handler,
    packet::{CLOSE, EnginePacket, NOOP},
    slot::Slot,
    work::{BeginError, RequestKind},
};

/// Wait of a client's packet `close` for the poll that it sent just before, over another
/// connection.
const OVERTAKEN: Duration = Duration::from_millis(100);

/// Answers with packets.
pub(super) fn body(packets: String) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=UTF-8"), (CACHE_CONTROL, NOT_KEPT)];
    (headers, packets).into_response()
}

/// Waits for packets, at most until the next ping.
pub(super) async fn read<H: Handler>(slot: &Arc<Slot<H>>) -> Response {
    let reading = match Guard::begin(slot, RequestKind::Reading) {
        Ok(guard) => guard,
        Err(err) => return refuse(slot, err),
    };
    let answer = next(slot, reading.is_probed()).await;
    reading.answered();
    answer
}

async fn next<H: Handler>(slot: &Slot<H>, is_probed: bool) -> Response {
    loop {
        let due = slot.due().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            packets = poll_fn(|cx| slot.poll_read(cx)) => {
                return match packets {
                    Some(packets) if !packets.is_empty() => body(packets),
                    Some(_) => body(NOOP.to_owned()),
                    // A client whose upgrade waits for no poll has no reason to poll.
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

/// Handles the packets of a body of at most `limit` bytes, one after the other.
pub(super) async fn write<H: Handler>(
    slot: &Arc<Slot<H>>,
    request: Request,
    limit: usize,
) -> Response {
    let _writing = match Guard::begin(slot, RequestKind::Writing) {
        Ok(guard) => guard,
        Err(err) => return refuse(slot, err),
    };
    let text = match text(request, limit).await {
        Ok(text) => text,
        Err(err) => {
            slot.close(&match err {
                Error::TooLarge => Close::TOO_BIG,
                Error::Busy => Close::BUSY,
                _ => Close::PROTOCOL,
            });
            return err.into_response();
        }
    };
    let Ok(packets) = EnginePacket::all(&text) else {
        slot.close(&Close::PROTOCOL);
        return Error::Request.into_response();
    };
    for packet in packets {
        if slot.is_ending() {
            break;
        }
        let flow = match packet {
            EnginePacket::Message(message) => {
                slot.with(|handler, link| handler.message(message, link))
            }
            EnginePacket::Binary => slot.with(H::binary),
            EnginePacket::Close => {
                // At the time-out there is no poll to be answered.
                timeout(OVERTAKEN, poll_fn(|cx| slot.poll_reader(cx))).await.ok();
                slot.part(&Close::NORMAL, NOOP);
                break;
            }
            EnginePacket::Keepalive => Some(Flow::Continue),
            EnginePacket::Unknown => Some(Flow::Close(Close::PROTOCOL)),
        };
        match flow {
            None => return Error::Session.into_response(),
            Some(Flow::Continue) => {}
            Some(Flow::Wait(work)) => {
                let done = work.await;
                slot.with(|handler, link| handler.done(done, link));
            }
            Some(Flow::Close(close)) => {
                slot.part(&close, CLOSE);
                break;
            }
        }
        if slot.is_congested() {
            // A client that sends this much without polling does not want the answers.
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

/// Refuses a request. Two of one kind at once are a mistake of a client that has lost track, and
/// end the session.
fn refuse<H: Handler>(slot: &Slot<H>, err: BeginError) -> Response {
    match err {
        BeginError::Gone => Error::Session.into_response(),
        BeginError::Overlap => {
            slot.part(&Close::PROTOCOL, CLOSE);
            Error::Request.into_response()
        }
    }
}
