//! A connection over WebSocket: the pump's view of a client.
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Where a command that waits leaves what is to be done after it.
    then: Option<Arc<Mutex<Option<Then>>>>,
}

impl Socket {
    /// A session that begins here.
    pub(super) fn new(client: Client, opening: String) -> Self {
        Self { client, first: vec![opening], then: None }
    }

    /// A session that goes on here, with what was not polled.
    pub(super) fn upgraded(client: Client, first: Vec<String>) -> Self {
        Self { client, first, then: None }
    }

    fn flow(&mut self, flow: Flow) -> ws::Flow {
        match flow {
            Flow::Continue => ws::Flow::Continue,
            Flow::Close(why) => ws::Flow::Close(why),
            Flow::Wait(work) => {
                let place = Arc::new(Mutex::new(None));
                self.then = Some(Arc::clone(&place));
                ws::Flow::Wait(Box::pin(async move {
                    let then = work.await;
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(then);
                    None
                }))
            }
        }
    }
}

impl Protocol for Socket {
    const NAME: &'static str = NAME;

    fn begin(&mut self, link: &mut ws::Link<'_>) {
        for packet in std::mem::take(&mut self.first) {
            link.out.packet(&packet);
        }
    }

    fn text(&mut self, text: &str, link: &mut ws::Link<'_>) -> ws::Flow {
        let mut link = Link { inbox: link.inbox, out: &mut link.out };
        let flow = match Packet::of(text) {
            Packet::Message(message) => self.client.packet(message, &mut link),
            Packet::Close => Flow::Close(Close::NORMAL),
            Packet::Binary | Packet::Life => Flow::Continue,
            Packet::Unknown => Flow::Close(Close::PROTOCOL),
        };
        self.flow(flow)
    }

    fn binary(&mut self, link: &mut ws::Link<'_>) -> ws::Flow {
        let mut link = Link { inbox: link.inbox, out: &mut link.out };
        let flow = self.client.attachment(&mut link);
        self.flow(flow)
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        self.client.render(delivery, out);
    }

    fn waited(&mut self, link: &mut ws::Link<'_>) {
        let place = self.then.take();
        let then = place.and_then(|it| it.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(then) = then {
            then(&mut self.client, &mut Link { inbox: link.inbox, out: &mut link.out });
        }
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
