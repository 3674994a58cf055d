//! A connection over WebSocket: the pump's view of a client.
use quadrille_core::{Close, Delivery};
use quadrille_edge::ws::{self, Frames, Protocol};
use tokio::time::Instant;

use super::packet::{self, Packet, Packets};
use crate::{
    NAME,
    socketio::{Client, Flow, Link, Then},
};

pub(super) struct Socket {
    client: Client,
    /// Packets that the client is told first.
    first: Vec<String>,
}

impl Socket {
    /// A session that begins here.
    pub(super) fn new(client: Client, opening: String) -> Self {
        Self { client, first: vec![opening] }
    }

    /// A session that goes on here, with what was not polled.
    pub(super) fn upgraded(client: Client, first: Vec<String>) -> Self {
        Self { client, first }
    }
}

fn flow(flow: Flow) -> ws::Flow<Then> {
    match flow {
        Flow::Continue => ws::Flow::Continue,
        Flow::Close(close) => ws::Flow::Close(close),
        Flow::Wait(work) => ws::Flow::Wait(work),
    }
}

impl Protocol for Socket {
    const NAME: &'static str = NAME;

    type Done = Then;

    fn begin(&mut self, link: &mut ws::Link<'_>) -> ws::Flow<Then> {
        for packet in std::mem::take(&mut self.first) {
            link.out.packet(&packet);
        }
        ws::Flow::Continue
    }

    fn text(&mut self, text: &str, link: &mut ws::Link<'_>) -> ws::Flow<Then> {
        let mut link = Link { inbox: link.inbox, out: &mut link.out };
        flow(match Packet::of(text) {
            Packet::Message(message) => self.client.packet(message, &mut link),
            Packet::Close => Flow::Close(Close::NORMAL),
            Packet::Binary | Packet::Life => Flow::Continue,
            Packet::Unknown => Flow::Close(Close::PROTOCOL),
        })
    }

    fn binary(&mut self, link: &mut ws::Link<'_>) -> ws::Flow<Then> {
        flow(self.client.attachment(&mut Link { inbox: link.inbox, out: &mut link.out }))
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        self.client.render(delivery, out);
    }

    fn done(&mut self, then: Then, link: &mut ws::Link<'_>) {
        then(&mut self.client, &mut Link { inbox: link.inbox, out: &mut link.out });
    }

    fn ping(&mut self, out: &mut Frames<'_>) {
        out.packet(packet::PING);
    }

    fn end(&mut self, why: &Close, out: &mut Frames<'_>) {
        self.client.end(why, out);
        if why.code == Close::KICKED.code {
            // Clients in Python may see the end of the connection first, and come back.
            out.packet(packet::CLOSE);
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.client.ends().map(|(at, _)| at)
    }

    fn expired(&self) -> Close {
        self.client.ends().map_or(Close::EXPIRED, |(_, why)| why)
    }
}
