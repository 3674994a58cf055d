//! The namespace of one connection: who is in it, the packets that come in, one after the other,
//! and the records that go out.
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use quadrille_core::{Close, Delivery, SessionInfo, json, telemetry};
use quadrille_edge::{Core, ws::Flow};
use quadrille_identity::{Exceeded, Payer, Rate, Token};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    application::{
        AcceptedSocket, Application, Connect, ConnectRequest, EventHandler, Refusal, Rejection,
        Then,
    },
    engineio::{EngineLink, Handler, PacketSink},
    link::{RenderOutput, SocketLink},
    packet::{self, BadPacket, EventData, Packet, PacketKind},
    recovery::{Offset, Recovery, RecoveryHandle, ResumeRequest},
};

/// The only namespace.
const NAMESPACE: &str = "/";

/// State that all connections share.
pub(crate) struct SocketServer<A> {
    pub(crate) application: Arc<A>,
    pub(crate) core: Core,
    pub(crate) recovery: Arc<Recovery>,
    pub(crate) connect_timeout: Duration,
}

/// One connection.
pub(crate) struct Namespace<A: Application> {
    shared: Arc<SocketServer<A>>,
    info: Arc<SessionInfo>,
    /// Token of the first request, for a client that sends none later.
    token: Option<Token>,
    stage: ConnectStage<A::Client>,
    /// Binary messages still to come for an event, and the id of its acknowledgement.
    attachments: Option<(u32, Option<u64>)>,
}

enum ConnectStage<C> {
    /// The client has not connected yet.
    New {
        until: Instant,
    },
    /// The application finds out whether it may.
    Connecting {
        until: Instant,
    },
    Connected(Box<ConnectedClient<C>>),
    /// The client has disconnected, or was made to, and cannot connect again.
    Left {
        until: Instant,
    },
}

struct ConnectedClient<C> {
    client: C,
    payer: Payer,
    recovery: Option<RecoveryHandle>,
}

/// Result that a packet waited for.
pub(crate) enum Done<A: Application> {
    Connect(Result<AcceptedSocket<A::Identity>, Refusal>, Option<ResumeRequest>),
    Event(Then<A::Client>),
}

/// The members of the auth payload that ask for a socket to be resumed.
#[derive(Debug, Default, Deserialize)]
struct ResumeMembers {
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    offset: Value,
}

impl<A: Application> Namespace<A> {
    pub(crate) fn new(
        shared: &Arc<SocketServer<A>>,
        info: &Arc<SessionInfo>,
        token: Option<Token>,
    ) -> Self {
        let until = Instant::now() + shared.connect_timeout;
        Self {
            shared: Arc::clone(shared),
            info: Arc::clone(info),
            token,
            stage: ConnectStage::New { until },
            attachments: None,
        }
    }

    /// Handles a CONNECT. A second one is not an error, and changes nothing.
    fn connect(&mut self, auth: &str, link: &mut EngineLink<'_>) -> Flow<Done<A>> {
        let ConnectStage::New { until } = self.stage else { return Flow::Continue };
        let resume = self.resume_request(auth);
        let request = ConnectRequest {
            auth,
            token: self.token.as_ref(),
            info: &self.info,
            resume: resume.as_ref(),
        };
        match self.shared.application.identify(request) {
            Connect::Ready(result) => {
                self.identified(result, resume, link);
                Flow::Continue
            }
            Connect::Wait(work) => {
                self.stage = ConnectStage::Connecting { until };
                Flow::Wait(work.map(|result| Done::Connect(result, resume)).boxed())
            }
        }
    }

    fn resume_request(&self, auth: &str) -> Option<ResumeRequest> {
        let recovery = &self.shared.recovery;
        if !recovery.is_on() {
            return None;
        }
        let copy = OnceLock::new();
        let members: ResumeMembers = json::read_in(auth, &copy).ok()?;
        ResumeRequest::of(recovery, &members.pid, &members.offset)
    }

    fn identified(
        &mut self,
        result: Result<AcceptedSocket<A::Identity>, Refusal>,
        resume: Option<ResumeRequest>,
        link: &mut EngineLink<'_>,
    ) {
        let AcceptedSocket { user, holder, identity } = match result {
            Ok(accepted) => accepted,
            Err(Refusal(message)) => return self.refuse(&message, link),
        };
        let SocketServer { application, core, recovery, .. } = &*self.shared;
        if let Err(err) = core.sessions.identified(self.info.id, &holder) {
            telemetry::connection_kept_out(A::NAME, &err, err.reason());
            return self.refuse(&err.to_string(), link);
        }
        link.inbox.set_holder(holder);
        if let Some(user) = &user {
            self.info.set_user(Arc::clone(user));
        }
        let resumed = resume.as_ref().and_then(|resume| resume.take(user.as_ref()));
        if let Some(resumed) = &resumed {
            // False if it has ended, which is the rule.
            core.sessions.end(resumed.connection(), &Close::MOVED);
        }
        let begin = resume.and_then(ResumeRequest::into_offset);
        let recovery =
            RecoveryHandle::new(recovery, &self.info, user.as_ref(), begin, resumed.as_ref());
        let mut link = SocketLink::new(link, &self.info, recovery.as_ref());
        let pid = recovery.as_ref().map(RecoveryHandle::pid);
        link.packet(&packet::connected(link.sid(), pid));
        let client = application.connect(identity, resumed.as_ref(), &mut link);
        let payer = Payer::new(user.as_ref(), self.info.peer);
        self.stage = ConnectStage::Connected(Box::new(ConnectedClient { client, payer, recovery }));
    }

    fn refuse(&mut self, message: &str, link: &mut EngineLink<'_>) {
        telemetry::client_error(A::NAME, self.info.id, "refused");
        link.out.packet(&packet::refused(NAMESPACE, message));
        // It may ask again, in the time that is left.
        if let ConnectStage::Connecting { until } = self.stage {
            self.stage = ConnectStage::New { until };
        }
    }

    fn event(&mut self, packet: &Packet<'_>, link: &mut EngineLink<'_>) -> Flow<Done<A>> {
        // Before it is connected, and after it has left, its events are ignored.
        if !self.is_connected() {
            return Flow::Continue;
        }
        if let Err(exceeded) = self.count_frame() {
            return self.reject(&exceeded.into(), packet.id, link);
        }
        if packet.attachments > 0 {
            self.attachments = Some((packet.attachments, packet.id));
            return Flow::Continue;
        }
        let event = match EventData::parse(packet.data) {
            Ok(event) => event,
            Err(err) => return self.bad_packet(err, packet.id, link),
        };
        let Some((client, mut link)) = self.connected(link) else { return Flow::Continue };
        match client.event(&event, packet.id, &mut link) {
            Flow::Continue => Flow::Continue,
            Flow::Wait(work) => Flow::Wait(work.map(Done::Event).boxed()),
            Flow::Close(close) => Flow::Close(close),
        }
    }

    fn bad_packet(
        &mut self,
        err: BadPacket,
        id: Option<u64>,
        link: &mut EngineLink<'_>,
    ) -> Flow<Done<A>> {
        let flow = self.reject(&err.into(), id, link);
        if err.is_malformed() { Flow::Close(Close::PROTOCOL) } else { flow }
    }

    /// Tells a connected client that its packet is not handled.
    fn reject(
        &mut self,
        rejection: &Rejection,
        id: Option<u64>,
        link: &mut EngineLink<'_>,
    ) -> Flow<Done<A>> {
        if let Some((client, mut link)) = self.connected(link) {
            client.reject(rejection, id, &mut link);
        }
        Flow::Continue
    }

    fn count_frame(&self) -> Result<(), Exceeded> {
        let ConnectStage::Connected(connected) = &self.stage else { return Ok(()) };
        self.shared.core.quotas.take(Rate::Frames, &connected.payer)
    }

    fn connected<'a>(
        &'a mut self,
        link: &'a mut EngineLink<'_>,
    ) -> Option<(&'a mut A::Client, SocketLink<'a>)> {
        let ConnectStage::Connected(connected) = &mut self.stage else { return None };
        let ConnectedClient { client, recovery, .. } = &mut **connected;
        Some((client, SocketLink::new(link, &self.info, recovery.as_ref())))
    }

    /// Disconnects the client; the connection stays open without it for a while.
    fn leave(&mut self, link: &mut EngineLink<'_>) {
        if !self.is_connected() {
            return;
        }
        let topics: Vec<_> = link.inbox.topics().cloned().collect();
        for topic in topics {
            link.inbox.unsubscribe(&topic);
        }
        self.stage = self.left();
    }

    fn left(&self) -> ConnectStage<A::Client> {
        ConnectStage::Left { until: Instant::now() + self.shared.connect_timeout }
    }
}

impl<A: Application> Handler for Namespace<A> {
    const NAME: &'static str = A::NAME;

    type Done = Done<A>;

    fn message(&mut self, text: &str, link: &mut EngineLink<'_>) -> Flow<Done<A>> {
        // Another packet before the attachments of an event is its end.
        self.attachments = None;
        let packet = match Packet::parse(text) {
            Ok(packet) => packet,
            Err(err) => {
                return match self.count_frame() {
                    Ok(()) => self.bad_packet(err, None, link),
                    Err(exceeded) => self.reject(&exceeded.into(), None, link),
                };
            }
        };
        match packet.kind {
            PacketKind::Connect if packet.namespace != NAMESPACE => {
                link.out.packet(&packet::refused(packet.namespace, "Invalid namespace"));
                Flow::Continue
            }
            PacketKind::Connect => self.connect(packet.data, link),
            _ if packet.namespace != NAMESPACE => Flow::Continue,
            PacketKind::Disconnect => {
                self.leave(link);
                Flow::Continue
            }
            PacketKind::Event => self.event(&packet, link),
            // The server asks for none.
            PacketKind::Ack => Flow::Continue,
        }
    }

    /// Answers the event that a binary message belongs to, once all of them came.
    fn binary(&mut self, link: &mut EngineLink<'_>) -> Flow<Done<A>> {
        let Some((left, id)) = self.attachments.take() else { return Flow::Continue };
        if left > 1 {
            self.attachments = Some((left - 1, id));
            return Flow::Continue;
        }
        self.reject(&Rejection::Attachments, id, link)
    }

    fn done(&mut self, done: Done<A>, link: &mut EngineLink<'_>) {
        match done {
            Done::Connect(result, resume) => self.identified(result, resume, link),
            Done::Event(then) => {
                if let Some((client, mut link)) = self.connected(link) {
                    then(client, &mut link);
                }
            }
        }
    }

    fn render(&mut self, delivery: &Delivery, out: &mut dyn PacketSink) {
        let ConnectStage::Connected(connected) = &mut self.stage else { return };
        let ConnectedClient { client, recovery, .. } = &mut **connected;
        let offset = match (delivery, &recovery) {
            (Delivery::Record(record, _), Some(_)) => Some(Offset(&record.topic, record.at)),
            (Delivery::Deleted(topic, _), Some(recovery)) => {
                recovery.left(topic);
                None
            }
            _ => None,
        };
        let mut out = RenderOutput::new(out, offset);
        client.render(delivery, &mut out);
        if let (Some(recovery), Some(offset)) = (recovery, out.shown()) {
            recovery.shown(offset);
        }
    }

    fn end(&mut self, close: &Close, out: &mut dyn PacketSink) {
        let ConnectStage::Connected(connected) = &mut self.stage else { return };
        if close.code == Close::KICKED.code {
            // A client that was sent away stays away; otherwise clients come back by themselves.
            out.packet(packet::DISCONNECT);
            self.stage = self.left();
            return;
        }
        if close.code == Close::EXPIRED.code {
            connected.recovery = None;
        }
        connected.client.end(close, out);
    }

    fn deadline(&self) -> Option<(Instant, Close)> {
        match &self.stage {
            ConnectStage::New { until }
            | ConnectStage::Connecting { until }
            | ConnectStage::Left { until } => Some((*until, Close::NO_CONNECT)),
            ConnectStage::Connected(connected) => {
                connected.client.expires().map(|at| (at, Close::EXPIRED))
            }
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.stage, ConnectStage::Connected(_))
    }
}

impl<A: Application> Drop for Namespace<A> {
    /// A client that has neither left nor was sent away can resume its socket.
    fn drop(&mut self) {
        let ConnectStage::Connected(connected) = &self.stage else { return };
        let is_expired = connected.client.expires().is_some_and(|at| at <= Instant::now());
        if let Some(recovery) = &connected.recovery
            && !is_expired
            && !self.info.is_ending()
        {
            recovery.lose();
        }
    }
}

#[cfg(test)]
mod tests;
