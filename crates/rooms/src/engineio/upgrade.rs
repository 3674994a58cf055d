//! A session that polls goes on as a WebSocket: probed first, and taken over with nothing lost.
use std::{future::poll_fn, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use quadrille_core::{
    Close,
    ws::{Exchange, Handshake},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    error::Error,
    open::pump,
    packet::{PROBE, PROBED, UPGRADE},
    sessions::{Guard, Polled, Slot, Work},
    socket::Socket,
};
use crate::NAME;

/// How long an upgrade may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn upgrade(slot: Arc<Slot>, mut request: Request) -> Response {
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let Some(door) = slot.with(|client, _| Arc::clone(&client.door)) else {
        return Error::Session.into_response();
    };
    // Only to see that nobody else is at it; the task begins again, and holds it.
    if slot.begin(Work::Probing).is_err() {
        return Error::Request.into_response();
    }
    let (response, upgraded) = handshake.accept();
    let config = pump(&door);
    door.core.life.clone().spawn(NAME, async move {
        let Ok(io) = upgraded.await else { return };
        let Ok(probing) = slot.begin(Work::Probing) else { return };
        let mut exchange = Exchange::new(io);
        let stopping = door.core.life.draining();
        let taken = tokio::select! {
            taken = timeout(PATIENCE, take_over(&slot, &probing, &mut exchange)) => taken,
            () = stopping => Ok(None),
            () = poll_fn(|cx| slot.poll_gone(cx)) => Ok(None),
        };
        drop(probing);
        if let Ok(Some(polled)) = taken {
            let first = polled.rest();
            let Polled { client, session, inbox, .. } = polled;
            let socket = Socket::upgraded(client, first);
            exchange.serve(session, inbox, socket, config).await;
        } else {
            slot.keep();
            // Fails if the client is gone, which is as good.
            exchange.close(&Close::NORMAL).await.ok();
        }
    });
    response
}

/// The session, once the client has probed the way and wants to take it.
async fn take_over<S: AsyncRead + AsyncWrite + Unpin>(
    slot: &Slot,
    _: &Guard<'_>,
    exchange: &mut Exchange<S>,
) -> Option<Polled> {
    if exchange.text().await.ok()?? != PROBE {
        return None;
    }
    exchange.send(PROBED).await.ok()?;
    slot.release();
    if exchange.text().await.ok()?? != UPGRADE {
        return None;
    }
    poll_fn(|cx| slot.poll_take(cx)).await
}
