//! The events of a connected client, and the packets that show it records.
use quadrille_core::{
    Close, Delivery, Record, Tag,
    turn::{TurnEvent, TurnKind},
};
use quadrille_socketio::{
    EventHandler, Rejection, RenderOutput, SocketLink,
    engineio::PacketSink,
    packet::{self, EventData},
};
use tokio::time::Instant;

use super::{
    closed, commands,
    connected::{Client, ClientFlow, OWN, POSITIONS, SHOWN},
};
use crate::render;

impl EventHandler for Client {
    fn event(
        &mut self,
        event: &EventData<'_>,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) -> ClientFlow {
        commands::run(self, event, id, link)
    }

    fn reject(&mut self, rejection: &Rejection, id: Option<u64>, link: &mut SocketLink<'_>) {
        let mut message = rejection.to_string();
        if matches!(rejection, Rejection::Attachments) {
            message.push_str("; upload files over HTTP");
        }
        self.refuse("bad_packet", &message, id, link);
    }

    fn render(&mut self, delivery: &Delivery, out: &mut RenderOutput<'_>) {
        match delivery {
            Delivery::Record(record, tag) => self.record(record, *tag, out),
            Delivery::Gap(gap, tag) => {
                if tag & SHOWN != 0 {
                    out.packet(&render::gap(gap));
                }
                if tag & OWN != 0 {
                    for packet in self.own.settle(&self.state.desk, gap.at) {
                        out.packet(&packet);
                    }
                }
            }
            Delivery::Deleted(topic, tag) => {
                self.leave_presence(topic);
                if tag & SHOWN != 0 {
                    for packet in closed::deleted(topic) {
                        out.packet(&packet);
                    }
                }
            }
            Delivery::End(_) => {}
        }
    }

    fn end(&mut self, close: &Close, out: &mut dyn PacketSink) {
        if close.code == Close::EXPIRED.code {
            out.packet(&packet::event("error", r#"{"message":"Token has expired"}"#));
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.principal.expires
    }
}

impl Client {
    fn record(&mut self, record: &Record, tag: Tag, out: &mut RenderOutput<'_>) {
        // The publisher of what is sent to the others knows it already.
        let is_shown = tag & SHOWN != 0 && record.publisher != Some(self.sid);
        let offset = out.offset();
        if tag & OWN != 0 && TurnKind::of(record) == Some(TurnKind::Snapshot) {
            // The gap before it was where the reader was.
            for packet in self.own.settle(&self.state.desk, record.at) {
                out.packet(&packet);
            }
        }
        if tag & OWN != 0
            && record.kind.starts_with("turn.")
            && let Some(turn) = TurnEvent::of(record)
            // Of two packets for a record, the last one has its offset.
            && let Some(packet) = self.own.packet(&turn, record, offset.filter(|_| !is_shown))
        {
            out.packet(&packet);
        }
        if is_shown {
            for packet in render::packets(record, tag & POSITIONS != 0, offset.is_some()) {
                out.packet(packet);
            }
        }
    }
}
