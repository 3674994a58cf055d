//! A connection over WebSocket: a handler as a protocol of the pump.
use std::sync::{Arc, Mutex, PoisonError};

use quadrille_core::{
    Close, Delivery,
    ws::{self, Frames, Protocol},
};
use tokio::time::Instant;

use super::{
    handler::{EngineLink, Flow, Handler, PacketSink},
    packet::{self, EnginePacket},
};

pub(super) struct WebSocket<H: Handler> {
    handler: H,
    /// Packets that the client is sent first.
    first: Vec<String>,
    /// Where a message that waits leaves what it waited for.
    done: Option<Arc<Mutex<Option<H::Done>>>>,
}

impl<H: Handler> WebSocket<H> {
    /// Begins a session with the packet that opens it.
    pub(super) fn new(handler: H, opening: String) -> Self {
        Self { handler, first: vec![opening], done: None }
    }

    /// Goes on with a session that polled, and with the packets that were not polled.
    pub(super) fn upgraded(handler: H, first: Vec<String>) -> Self {
        Self { handler, first, done: None }
    }

    fn flow(&mut self, flow: Flow<H::Done>) -> ws::Flow {
        match flow {
            Flow::Continue => ws::Flow::Continue,
            Flow::Close(close) => ws::Flow::Close(close),
            Flow::Wait(work) => {
                let place = Arc::new(Mutex::new(None));
                self.done = Some(Arc::clone(&place));
                ws::Flow::Wait(Box::pin(async move {
                    let done = work.await;
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
                    None
                }))
            }
        }
    }
}

impl<H: Handler> Protocol for WebSocket<H> {
    const NAME: &'static str = H::NAME;

    fn begin(&mut self, link: &mut ws::Link<'_>) {
        for packet in std::mem::take(&mut self.first) {
            link.out.packet(&packet);
        }
    }

    fn text(&mut self, text: &str, link: &mut ws::Link<'_>) -> ws::Flow {
        let mut link = EngineLink { inbox: link.inbox, out: &mut link.out };
        let flow = match EnginePacket::of(text) {
            EnginePacket::Message(message) => self.handler.message(message, &mut link),
            EnginePacket::Close => Flow::Close(Close::NORMAL),
            EnginePacket::Binary | EnginePacket::Keepalive => Flow::Continue,
            EnginePacket::Unknown => Flow::Close(Close::PROTOCOL),
        };
        self.flow(flow)
    }

    fn binary(&mut self, link: &mut ws::Link<'_>) -> ws::Flow {
        let flow = self.handler.binary(&mut EngineLink { inbox: link.inbox, out: &mut link.out });
        self.flow(flow)
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        self.handler.render(&delivery, out);
    }

    fn waited(&mut self, link: &mut ws::Link<'_>) {
        let place = self.done.take();
        let done =
            place.and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(done) = done {
            self.handler.done(done, &mut EngineLink { inbox: link.inbox, out: &mut link.out });
        }
    }

    fn ping(&mut self, out: &mut Frames<'_>) {
        out.packet(packet::PING);
    }

    fn end(&mut self, close: &Close, out: &mut Frames<'_>) {
        self.handler.end(close, out);
        if close.code == Close::KICKED.code {
            // Clients in Python may see the end of the connection first, and come back.
            out.packet(packet::CLOSE);
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.handler.deadline().map(|(at, _)| at)
    }

    fn expired(&self) -> Close {
        self.handler.deadline().map_or(Close::EXPIRED, |(_, close)| close)
    }
}
