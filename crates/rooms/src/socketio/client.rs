//! One connection: the packets that come in, one after the other, and the records that go out.
use std::{net::IpAddr, sync::Arc};

use futures_util::future::BoxFuture;
use quadrille_core::{
    Close, Delivery, Inbox, Position, Record, Seat, SessionInfo, Tag, Topic, telemetry,
    turn::TurnEvent,
};
use quadrille_identity::{Exceeded, Payer, Principal, Rate, Token};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    closed, commands,
    own::{Form, Owned},
    packet::{self, BadPacket, Event, Kind, Packet},
    recovery::{Hold, Offset},
};
use crate::{
    NAME,
    door::{Door, Present},
    engineio::packet::Packets,
    render, wire,
};

/// What a subscription is for, and how its records are shown.
pub(crate) const POSITIONS: Tag = 1;
/// Somebody asked to see the topic: every record of it is shown.
pub(crate) const SEEN: Tag = 2;
/// Turns of this client run there, which are shown to it alone.
pub(crate) const OWN: Tag = 4;

/// One connection of Socket.IO.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) door: Arc<Door>,
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) peer: IpAddr,
    /// The one of the first request, for who sends none later.
    pub(super) token: Option<Token>,
    pub(super) state: State,
    /// Binary frames that are still to come for an event, and what it wants to be told.
    attachments: Option<(u32, Option<u64>)>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nobody has said yet for whom the connection is.
    New {
        until: Instant,
    },
    /// It is being found out.
    Asking {
        until: Instant,
    },
    Connected(Box<Connected>),
    /// The client has left the namespace, and has no more to say.
    Left {
        until: Instant,
    },
}

/// A client in the namespace.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) who: Principal,
    /// Whom it acts for: the token's, or the one that is believed.
    pub(crate) user: Option<Arc<str>>,
    pub(crate) payer: Payer,
    pub(crate) seats: Vec<Seat>,
    pub(crate) own: Owned,
    /// By which another connection may go on with it.
    pub(super) hold: Option<Box<Hold>>,
    pub(super) _present: Present,
}

/// What a command may use: the connection's subscriptions, and packets in answer.
pub(crate) struct Link<'a> {
    pub(crate) inbox: &'a mut Inbox,
    pub(crate) out: &'a mut dyn Packets,
}

/// What comes after a packet.
pub(crate) enum Flow {
    Continue,
    /// Take no further packet before this is done, and then do what it says.
    Wait(BoxFuture<'static, Then>),
    Close(Close),
}

/// The rest of a command that had to wait.
pub(crate) type Then = Box<dyn FnOnce(&mut Client, &mut Link<'_>) + Send>;

// === impl Link ===

impl Link<'_> {
    pub(crate) fn event(&mut self, name: &str, argument: &impl Serialize) {
        self.out.packet(&packet::event(name, &wire::json(argument)));
    }

    /// Answer an event that asked for it, with one argument or none.
    pub(crate) fn ack(&mut self, id: Option<u64>, argument: Option<&serde_json::Value>) {
        if let Some(id) = id {
            let argument = argument.map(ToString::to_string).unwrap_or_default();
            self.out.packet(&packet::ack(id, &argument));
        }
    }
}

// === impl Connected ===

impl Connected {
    /// `topic` is followed from `from` on, or was already and is under another tag.
    pub(super) fn follows(&self, topic: &Topic, tag: Tag, from: Option<Position>) {
        if let Some(hold) = &self.hold {
            hold.followed(topic, tag, from);
        }
    }

    pub(super) fn leaves(&self, topic: &Topic) {
        if let Some(hold) = &self.hold {
            hold.left(topic);
        }
    }

    /// A turn is this client's own.
    pub(super) fn asked(&mut self, turn: Uuid, form: Form) {
        self.own.add(turn, form);
        if let Some(hold) = &self.hold {
            hold.asked(turn, form);
        }
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn new(
        door: &Arc<Door>,
        info: &Arc<SessionInfo>,
        peer: IpAddr,
        token: Option<Token>,
    ) -> Self {
        let until = Instant::now() + door.config.connect_timeout;
        Self {
            door: Arc::clone(door),
            info: Arc::clone(info),
            peer,
            token,
            state: State::New { until },
            attachments: None,
        }
    }

    pub(crate) fn connected(&mut self) -> Option<&mut Connected> {
        match &mut self.state {
            State::Connected(connected) => Some(connected),
            _ => None,
        }
    }

    /// What the client is known by to others; another connection that goes on with it is, too.
    pub(super) fn sid(&self) -> Uuid {
        let hold = match &self.state {
            State::Connected(connected) => connected.hold.as_ref(),
            _ => None,
        };
        hold.map_or(self.info.id, |hold| hold.sid())
    }

    /// For whom a command is done, if the client is connected.
    pub(crate) fn acting(&self) -> Option<(Arc<Door>, Principal, Option<Arc<str>>)> {
        let State::Connected(it) = &self.state else { return None };
        Some((Arc::clone(&self.door), it.who.clone(), it.user.clone()))
    }

    /// When the connection has to end, and why.
    pub(crate) fn ends(&self) -> Option<(Instant, Close)> {
        match &self.state {
            State::New { until } | State::Asking { until } | State::Left { until } => {
                Some((*until, Close::NO_CONNECT))
            }
            State::Connected(it) => it.who.expires.map(|at| (at, Close::EXPIRED)),
        }
    }

    /// A packet came.
    pub(crate) fn packet(&mut self, text: &str, link: &mut Link<'_>) -> Flow {
        // Whoever sends something else instead has no more to say of it.
        self.attachments = None;
        let packet = match Packet::parse(text) {
            Ok(packet) => packet,
            Err(why) => {
                return match self.count_frame() {
                    Ok(()) => self.bad_packet(why, None, link),
                    Err(excess) => self.bad(&excess, None, link),
                };
            }
        };
        match packet.kind {
            Kind::Connect if packet.namespace != "/" => {
                link.out.packet(&packet::refused(packet.namespace, "Invalid namespace"));
                Flow::Continue
            }
            Kind::Connect => self.connect(packet.data, link),
            _ if packet.namespace != "/" => Flow::Continue,
            Kind::Disconnect => {
                self.leave(link);
                Flow::Continue
            }
            Kind::Event => self.event(&packet, link),
            // Nothing is asked of clients.
            Kind::Ack => Flow::Continue,
        }
    }

    /// A binary frame came. Its bytes are of no use, but the event that it belongs to is answered.
    pub(crate) fn attachment(&mut self, link: &mut Link<'_>) -> Flow {
        let Some((left, id)) = self.attachments.take() else { return Flow::Continue };
        if left > 1 {
            self.attachments = Some((left - 1, id));
            return Flow::Continue;
        }
        self.bad(&Unwanted, id, link)
    }

    fn event(&mut self, packet: &Packet<'_>, link: &mut Link<'_>) -> Flow {
        // Before it is connected, and after it has left, a client has nothing to say.
        if self.connected().is_none() {
            return Flow::Continue;
        }
        if let Err(why) = self.count_frame() {
            return self.bad(&why, packet.id, link);
        }
        if packet.attachments > 0 {
            self.attachments = Some((packet.attachments, packet.id));
            return Flow::Continue;
        }
        match Event::parse(packet.data) {
            Ok(event) => commands::run(self, &event, packet.id, link),
            Err(why) => self.bad_packet(why, packet.id, link),
        }
    }

    fn bad_packet(&self, why: BadPacket, id: Option<u64>, link: &mut Link<'_>) -> Flow {
        let flow = self.bad(&why, id, link);
        if why.is_malformed() { Flow::Close(Close::PROTOCOL) } else { flow }
    }

    fn count_frame(&self) -> Result<(), Exceeded> {
        let State::Connected(connected) = &self.state else { return Ok(()) };
        self.door.core.quotas.take(Rate::Frames, &connected.payer)
    }

    /// Leave the namespace; the connection goes on without it for a while.
    fn leave(&mut self, link: &mut Link<'_>) {
        if self.connected().is_none() {
            return;
        }
        let topics: Vec<_> = link.inbox.topics().cloned().collect();
        for topic in topics {
            link.inbox.unsubscribe(&topic);
        }
        let until = Instant::now() + self.door.config.connect_timeout;
        self.state = State::Left { until };
    }

    /// Tell a client that what it sent cannot be used.
    fn bad(&self, why: &dyn std::error::Error, id: Option<u64>, link: &mut Link<'_>) -> Flow {
        if matches!(self.state, State::Connected(_)) {
            self.refuse("bad_packet", &why.to_string(), id, link);
        }
        Flow::Continue
    }

    /// Tell a client that something is not done, and why.
    pub(crate) fn refuse(
        &self,
        code: &'static str,
        message: &str,
        id: Option<u64>,
        link: &mut Link<'_>,
    ) {
        telemetry::client_error(NAME, self.info.id, code);
        link.event("error", &json!({"message": message}));
        link.ack(id, Some(&json!({"error": message})));
    }

    /// Put a delivery on the wire, or nothing.
    pub(crate) fn render(&mut self, delivery: Delivery, out: &mut dyn Packets) {
        match delivery {
            Delivery::Record(record, tag) => self.record(&record, tag, out),
            Delivery::Gap(gap, tag) => {
                if tag & SEEN != 0 {
                    out.packet(&render::gap(&gap));
                }
                if tag & OWN != 0
                    && let State::Connected(connected) = &mut self.state
                {
                    let settled = connected.own.settle(&self.door.desk, gap.at);
                    for packet in settled {
                        out.packet(&packet);
                    }
                }
            }
            Delivery::Deleted(topic, tag) => self.deleted(&topic, tag, out),
            Delivery::End(_) => {}
        }
    }

    /// A topic is shown no more.
    fn deleted(&mut self, topic: &Topic, tag: Tag, out: &mut dyn Packets) {
        let Some(connected) = self.connected() else { return };
        connected.seats.retain(|it| it.topic() != topic);
        connected.leaves(topic);
        if tag & SEEN != 0 {
            for packet in closed::deleted(topic) {
                out.packet(&packet);
            }
        }
    }

    fn record(&mut self, record: &Record, tag: Tag, out: &mut dyn Packets) {
        let sid = self.sid();
        let State::Connected(connected) = &mut self.state else { return };
        // Who says something to the others knows it already.
        let is_seen = tag & SEEN != 0 && record.publisher != Some(sid);
        let offset = connected.hold.as_ref().map(|_| Offset(&record.topic, record.at));
        let mut is_shown = false;
        if tag & OWN != 0
            && record.kind.starts_with("turn.")
            && let Some(turn) = TurnEvent::of(record)
            // Of two packets for a record, the last one has its offset.
            && let Some(packet) = connected.own.packet(&turn, record, offset.filter(|_| !is_seen))
        {
            out.packet(&packet);
            is_shown = true;
        }
        if is_seen
            && let Some(packet) = render::packet(record, tag & POSITIONS != 0, offset.is_some())
        {
            out.packet(packet);
            is_shown = true;
        }
        if let Some(hold) = &connected.hold
            && let Some(offset) = offset.filter(|_| is_shown)
        {
            hold.shown(offset);
        }
    }

    /// The last words of the server, before it ends the connection.
    pub(crate) fn end(&mut self, why: &Close, out: &mut dyn Packets) {
        if !matches!(self.state, State::Connected(_)) {
            return;
        }
        match why.code {
            // Whoever was sent away stays away; otherwise clients come back by themselves.
            code if code == Close::KICKED.code => {
                out.packet(packet::DISCONNECT);
                let until = Instant::now() + self.door.config.connect_timeout;
                self.state = State::Left { until };
            }
            code if code == Close::EXPIRED.code => {
                if let Some(connected) = self.connected() {
                    connected.hold = None;
                }
                out.packet(&packet::event("error", r#"{"message":"Token has expired"}"#));
            }
            _ => {}
        }
    }
}

impl Drop for Client {
    /// Whoever has neither left nor was sent away may come back.
    fn drop(&mut self) {
        let State::Connected(connected) = &self.state else { return };
        let is_expired = connected.who.expires.is_some_and(|at| at <= Instant::now());
        if let Some(hold) = &connected.hold
            && !is_expired
            && !self.info.is_ending()
        {
            hold.lose();
        }
    }
}

/// Bytes are of no use here.
#[derive(Debug, thiserror::Error)]
#[error("binary attachments are not taken here; upload files over HTTP")]
struct Unwanted;
