//! One connection as its client sees it, with an application that follows one topic.
use quadrille_core::{
    Admission, BatchLimit, Draft, Holder, Hub, Inbox, Life, Limits, Policies, Presence, Registry,
    Session, Shares, Since, Topic, Turns,
};
use quadrille_edge::http::Origins;
use quadrille_identity::{AuthSettings, Authority, Mode, Quotas};
use serde_json::json;

use super::*;
use crate::recovery::Resumed;

#[derive(Debug)]
struct Follower;

impl Application for Follower {
    const NAME: &'static str = "test";

    type Identity = ();
    type Client = Self;

    /// Refuses the payload `"no"`, and takes its time for `"later"`.
    fn identify(self: &Arc<Self>, request: ConnectRequest<'_>) -> Connect<()> {
        let accepted = AcceptedSocket { user: None, holder: Holder::Program, identity: () };
        match request.auth {
            "\"no\"" => Connect::Ready(Err(Refusal("not you".into()))),
            "\"later\"" => Connect::Wait(async { Ok(accepted) }.boxed()),
            _ => Connect::Ready(Ok(accepted)),
        }
    }

    /// Follows what a resumed socket followed, and tells where, and its notes.
    fn connect(self: &Arc<Self>, (): (), old: Option<&Resumed>, link: &mut SocketLink<'_>) -> Self {
        if let Some(old) = old {
            for point in old.points() {
                link.subscribe(&point.topic, Since::After(point.after), point.tag).unwrap();
                link.event("resumed", &json!([point.topic.as_str(), point.after.to_string()]));
            }
            let tags: Vec<_> = old.notes().into_iter().map(|(_, tag)| tag).collect();
            link.event("notes", &json!(tags));
        }
        Self
    }
}

impl EventHandler for Follower {
    fn event(
        &mut self,
        event: &EventData<'_>,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) -> Flow<Then<Self>> {
        if event.name == "follow" {
            let topic: Topic = "room:a".parse().unwrap();
            link.subscribe(&topic, Since::Now, 1).unwrap();
            link.note(link.sid(), 7);
        }
        link.ack(id, None);
        Flow::Continue
    }

    fn reject(&mut self, rejection: &Rejection, id: Option<u64>, link: &mut SocketLink<'_>) {
        link.ack(id, Some(&rejection.to_string().into()));
    }

    fn render(&mut self, delivery: &Delivery, out: &mut RenderOutput<'_>) {
        if let (Delivery::Record(record, _), Some(offset)) = (delivery, out.offset()) {
            out.packet(&packet::event_with_offset(&record.kind, &record.payload, offset));
        }
    }

    fn end(&mut self, _: &Close, _: &mut dyn PacketSink) {}

    fn expires(&self) -> Option<Instant> {
        None
    }
}

#[derive(Default)]
struct Sent(Vec<String>);

impl PacketSink for Sent {
    fn packet(&mut self, packet: &str) {
        self.0.push(packet.to_owned());
    }
}

fn server(recovery: Duration) -> Arc<SocketServer<Follower>> {
    let (limits, life) = (Limits::default(), Life::new());
    let core = Core {
        hub: Hub::new(Policies::default(), &limits, &life),
        sessions: Registry::new(limits.clone()),
        presence: Presence::default(),
        auth: Authority::new(&AuthSettings { mode: Mode::Open, ..AuthSettings::default() })
            .unwrap(),
        quotas: Quotas::new(&limits),
        shares: Shares::new(&limits),
        origins: Origins::default(),
        turns: Turns::default(),
        life,
    };
    let recovery = Arc::new(Recovery::new(recovery));
    let connect_timeout = Duration::from_secs(1);
    Arc::new(SocketServer { application: Arc::new(Follower), core, recovery, connect_timeout })
}

/// One connection. Dropping it loses it.
struct Wire {
    namespace: Namespace<Follower>,
    inbox: Inbox,
    _session: Session,
}

impl Wire {
    fn new(server: &Arc<SocketServer<Follower>>) -> Self {
        let (holder, peer) = (Holder::Program, [127, 0, 0, 1].into());
        let admission = Admission { protocol: "test", user: None, holder, peer };
        let session = server.core.sessions.admit(admission).unwrap();
        let namespace = Namespace::new(server, session.info(), None);
        Self { namespace, inbox: server.core.hub.inbox(), _session: session }
    }

    /// Returns the answer to a message, and whether the connection is closed.
    async fn send(&mut self, message: &str) -> (Vec<String>, bool) {
        let mut sent = Sent::default();
        let mut link = EngineLink { inbox: &mut self.inbox, out: &mut sent };
        let flow = self.namespace.message(message, &mut link);
        let is_closed = matches!(flow, Flow::Close(_));
        if let Flow::Wait(work) = flow {
            self.namespace.done(work.await, &mut link);
        }
        (sent.0, is_closed)
    }

    async fn answer(&mut self, message: &str) -> Vec<String> {
        self.send(message).await.0
    }

    fn binary(&mut self) -> Vec<String> {
        let mut sent = Sent::default();
        let mut link = EngineLink { inbox: &mut self.inbox, out: &mut sent };
        assert!(matches!(self.namespace.binary(&mut link), Flow::Continue));
        sent.0
    }

    /// The packets for what the logs have.
    async fn shown(&mut self) -> Vec<String> {
        let (mut deliveries, mut sent) = (Vec::new(), Sent::default());
        self.inbox.recv(BatchLimit { records: 9, bytes: 9999 }, &mut deliveries).await;
        for delivery in &deliveries {
            self.namespace.render(delivery, &mut sent);
        }
        sent.0
    }
}

#[tokio::test]
async fn a_client_connects_once_and_may_ask_again_after_a_refusal() {
    let server = server(Duration::ZERO);
    let mut wire = Wire::new(&server);
    assert_eq!(wire.answer("21[\"early\"]").await, [""; 0]);
    assert_eq!(wire.answer("0\"no\"").await, ["44{\"message\":\"not you\"}"]);
    let sid = wire.namespace.info.id;
    assert_eq!(wire.answer("0\"later\"").await, [format!("40{{\"sid\":\"{sid}\"}}")]);
    assert_eq!(wire.answer("0").await, [""; 0]);
    assert_eq!(wire.answer("0/b,").await, ["44/b,{\"message\":\"Invalid namespace\"}"]);
    assert_eq!(wire.answer("22[\"now\"]").await, ["432[]"]);
    assert_eq!(wire.namespace.deadline(), None);
    assert_eq!(wire.answer("1").await, [""; 0]);
    assert_eq!(wire.answer("23[\"late\"]").await, [""; 0]);
    assert_eq!(wire.answer("0").await, [""; 0]);
    assert_eq!(wire.namespace.deadline().map(|(_, close)| close), Some(Close::NO_CONNECT));
}

#[tokio::test]
async fn an_event_with_attachments_is_rejected_once_all_of_them_came() {
    let mut wire = Wire::new(&server(Duration::ZERO));
    wire.answer("0").await;
    let told = ["435[\"binary attachments are not accepted\"]"];
    assert_eq!(wire.answer("52-5[\"a\"]").await, [""; 0]);
    assert_eq!((wire.binary(), wire.binary()), (Vec::new(), told.map(str::to_owned).to_vec()));
    assert_eq!(wire.binary(), [""; 0]);
    // Another packet in between ends the event.
    wire.answer("51-5[\"a\"]").await;
    wire.answer("2[\"b\"]").await;
    assert_eq!(wire.binary(), [""; 0]);
}

#[tokio::test]
async fn a_malformed_packet_closes_the_connection_and_any_other_is_rejected() {
    let mut wire = Wire::new(&server(Duration::ZERO));
    wire.answer("0").await;
    let (answer, is_closed) = wire.send("29[1]").await;
    assert_eq!((answer.len(), is_closed), (1, false));
    assert!(wire.send("2{}").await.1 && wire.send("9").await.1);
}

#[tokio::test]
async fn a_lost_socket_resumes_with_its_topics_and_notes() {
    let server = server(Duration::from_mins(1));
    let mut wire = Wire::new(&server);
    let [connected] = &wire.answer("0").await[..] else { panic!("it is not connected") };
    let told: Value = serde_json::from_str(connected.strip_prefix("40").unwrap()).unwrap();
    wire.answer("2[\"follow\"]").await;
    let publish = |payload: &str| {
        server.core.hub.publish(Draft::new("room:a".parse().unwrap(), "news", payload))
    };
    publish("1").await.unwrap();
    let shown = wire.shown().await;
    let (_, _, offset): (String, u8, String) =
        serde_json::from_str(shown[0].strip_prefix("42").unwrap()).unwrap();
    drop(wire);
    publish("2").await.unwrap();

    let mut wire = Wire::new(&server);
    let back = json!({"pid": told["pid"], "offset": offset});
    let answer = wire.answer(&format!("0{back}")).await;
    let (position, topic) = offset.split_once(' ').unwrap();
    let resumed = json!(["resumed", [topic, position]]);
    assert_eq!(answer[0], *connected);
    assert_eq!(answer[1..], [format!("42{resumed}"), "42[\"notes\",[7]]".to_owned()]);
    let shown = wire.shown().await;
    assert!(shown.len() == 1 && shown[0].starts_with("42[\"news\",2,"), "{shown:?}");
}
