//! A session that polls goes on as a WebSocket: probed first, and taken over with nothing lost.
use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use quadrille_core::Close;
use quadrille_edge::ws::{Exchange, Handshake};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    error::Error,
    open::pump,
    packet::{PROBE, PROBED, UPGRADE},
    sessions::{Polled, Slot},
    socket::Socket,
    work::{Refused, Work},
};
use crate::{NAME, door::Door};

/// How long an upgrade may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wait for a client that completes the upgrade without waiting for its poll to end. After it, the
/// poll is let go.
const EAGER: Duration = Duration::from_millis(10);

pub(super) fn upgrade(door: &Arc<Door>, slot: &Arc<Slot>, mut request: Request) -> Response {
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let probing = match slot.begin(Work::Probing) {
        Ok(guard) => Some(guard),
        Err(Refused::Gone) if !slot.is_upgraded() => return Error::Session.into_response(),
        // As in the original server: opened, and closed at once.
        Err(Refused::Gone | Refused::Overlap) => None,
    };
    let (response, upgraded) = handshake.accept();
    let (slot, door) = (Arc::clone(slot), Arc::clone(door));
    let config = pump(&door);
    door.core.life.clone().spawn(NAME, async move {
        let Ok(io) = upgraded.await else { return };
        let mut exchange = Exchange::new(io);
        let Some(probing) = probing else { return close(exchange).await };
        let stopping = door.core.life.draining();
        let taken = tokio::select! {
            taken = timeout(PATIENCE, take_over(&slot, &mut exchange)) => taken,
            () = stopping => Ok(None),
            () = poll_fn(|cx| slot.poll_gone(cx)) => Ok(None),
        };
        drop(probing);
        if let Ok(Some(polled)) = taken {
            let first = polled.rest();
            let Polled { client, session, inbox, .. } = polled;
            let socket = Socket::upgraded(client, first);
            exchange.serve(session, inbox, socket, config).await;
            // Until now its id was known, and another WebSocket of it closed.
            drop(slot);
        } else {
            slot.keep();
            close(exchange).await;
        }
    });
    response
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(exchange: Exchange<S>) {
    // Fails if the client is gone, or takes nothing, which is as good.
    timeout(PATIENCE, exchange.close(&Close::NORMAL)).await.ok();
}

/// The session, once the client has probed the way and wants to take it.
async fn take_over<S: AsyncRead + AsyncWrite + Unpin>(
    slot: &Slot,
    exchange: &mut Exchange<S>,
) -> Option<Polled> {
    if exchange.text().await.ok()?? != PROBE {
        return None;
    }
    exchange.send(PROBED).await.ok()?;
    let mut next = pin!(exchange.text());
    let told = if let Ok(told) = timeout(EAGER, &mut next).await {
        told
    } else {
        slot.release();
        next.await
    };
    if told.ok()?? != UPGRADE {
        return None;
    }
    poll_fn(|cx| slot.poll_take(cx)).await
}
