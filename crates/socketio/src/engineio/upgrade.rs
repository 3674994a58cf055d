//! A session that polls goes on as a WebSocket: probed first, and taken over with nothing lost.
use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use quadrille_core::Close;
use quadrille_edge::ws::{self, Exchange, Handshake};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    error::Error,
    guard::Guard,
    handler::Handler,
    packet::{PROBE, PROBED, UPGRADE},
    polled::Polled,
    server::EngineServer,
    slot::Slot,
    websocket::WebSocket,
    work::{BeginError, RequestKind},
};

/// Time that an upgrade may take.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a client that completes the upgrade without waiting for its poll to end. After it, the
/// poll is answered.
const EAGER: Duration = Duration::from_millis(10);

pub(super) fn upgrade<H: Handler>(
    server: &Arc<EngineServer<H>>,
    slot: Arc<Slot<H>>,
    mut request: Request,
) -> Response {
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let probing = match Guard::begin(&slot, RequestKind::Probing) {
        Ok(guard) => Some(guard),
        Err(BeginError::Gone) if !slot.is_upgraded() => return Error::Session.into_response(),
        // As in the original server: opened, and closed at once.
        Err(BeginError::Gone | BeginError::Overlap) => None,
    };
    let (response, upgraded) = handshake.accept();
    let config = ws::Config::from(&server.config);
    let life = server.core.life.clone();
    server.core.life.spawn(H::NAME, async move {
        let Ok(io) = upgraded.await else { return };
        let mut exchange = Exchange::new(io);
        let Some(probing) = probing else { return close(exchange).await };
        let stopping = life.draining();
        let taken = tokio::select! {
            taken = timeout(UPGRADE_TIMEOUT, take_over(&slot, &mut exchange)) => taken,
            () = stopping => Ok(None),
            () = poll_fn(|cx| slot.poll_gone(cx)) => Ok(None),
        };
        drop(probing);
        if let Ok(Some(polled)) = taken {
            let first = polled.unpolled();
            let Polled { handler, session, inbox, .. } = polled;
            let socket = WebSocket::upgraded(handler, first);
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
    timeout(UPGRADE_TIMEOUT, exchange.close(&Close::NORMAL)).await.ok();
}

/// The session, once the client has probed the WebSocket and completed the upgrade.
async fn take_over<H: Handler, S: AsyncRead + AsyncWrite + Unpin>(
    slot: &Slot<H>,
    exchange: &mut Exchange<S>,
) -> Option<Polled<H>> {
    if exchange.text().await.ok()?? != PROBE {
        return None;
    }
    exchange.send(PROBED).await.ok()?;
    let mut next = pin!(exchange.text());
    let packet = if let Ok(packet) = timeout(EAGER, &mut next).await {
        packet
    } else {
        slot.release();
        next.await
    };
    if packet.ok()?? != UPGRADE {
        return None;
    }
    poll_fn(|cx| slot.poll_take(cx)).await
}
