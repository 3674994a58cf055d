//! A connection over WebSocket: a handler as a protocol of the pump.
use quadrille_core::{Close, Delivery};
use quadrille_edge::ws::{self, Flow, Frames, Protocol};
use tokio::time::Instant;

use super::{
    handler::{EngineLink, Handler, PacketSink},
    packet::{self, EnginePacket},
};

pub(super) struct WebSocket<H> {
    handler: H,
    /// Packets that the client is sent first.
    first: Vec<String>,
}

impl<H: Handler> WebSocket<H> {
    /// Begins a session with the packet that opens it.
    pub(super) fn new(handler: H, opening: String) -> Self {
        Self { handler, first: vec![opening] }
    }

    /// Goes on with a session that polled, and with the packets that were not polled.
    pub(super) fn upgraded(handler: H, first: Vec<String>) -> Self {
        Self { handler, first }
    }
}

impl<H: Handler> Protocol for WebSocket<H> {
    const NAME: &'static str = H::NAME;

    type Done = H::Done;

    fn begin(&mut self, link: &mut ws::Link<'_>) -> Flow<H::Done> {
        for packet in std::mem::take(&mut self.first) {
            link.out.packet(&packet);
        }
        Flow::Continue
    }

    fn text(&mut self, text: &str, link: &mut ws::Link<'_>) -> Flow<H::Done> {
        let mut link = EngineLink { inbox: link.inbox, out: &mut link.out };
        match EnginePacket::of(text) {
            EnginePacket::Message(message) => self.handler.message(message, &mut link),
            EnginePacket::Close => Flow::Close(Close::NORMAL),
            EnginePacket::Binary | EnginePacket::Keepalive => Flow::Continue,
            EnginePacket::Unknown => Flow::Close(Close::PROTOCOL),
        }
    }

    fn binary(&mut self, link: &mut ws::Link<'_>) -> Flow<H::Done> {
        self.handler.binary(&mut EngineLink { inbox: link.inbox, out: &mut link.out })
    }

    fn done(&mut self, done: H::Done, link: &mut ws::Link<'_>) {
        self.handler.done(done, &mut EngineLink { inbox: link.inbox, out: &mut link.out });
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        self.handler.render(&delivery, out);
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
