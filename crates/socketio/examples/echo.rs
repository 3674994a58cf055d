//! Echoes over Socket.IO, and over Engine.IO alone at `/engine.io/`, as the protocols' own test
//! suites expect of a server on port 3000 of this host.
use std::{convert::Infallible, sync::Arc, time::Duration};

use quadrille_core::{
    Close, Delivery, Holder, Hub, Life, Limits, Policies, Presence, Registry, Shares, Turns,
};
use quadrille_edge::{Core, http::Origins, ws::Flow};
use quadrille_identity::{self as auth, AuthSettings, Authority, Mode, Quotas};
use quadrille_socketio::{
    AcceptedSocket, Application, Config, Connect, ConnectRequest, EventHandler, Rejection,
    RenderOutput, Resumed, SocketLink, Then,
    engineio::{self, EngineLink, Handler, PacketSink},
    packet::{self, EventData},
};
use tokio::{net::TcpListener, time::Instant};

const CONFIG: Config = Config {
    max_message_size: 1_000_000,
    connect_timeout: Duration::from_secs(1),
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    write_timeout: Duration::from_secs(10),
    recovery: Duration::ZERO,
};

/// Sends the auth payload of each client back as the event `auth`, and echoes events.
#[derive(Debug)]
struct Echo;

/// Echoes each message of Engine.IO.
#[derive(Debug)]
struct EngineEcho;

impl Application for Echo {
    const NAME: &'static str = "echo";

    type Identity = String;
    type Client = Self;

    fn identify(self: &Arc<Self>, request: ConnectRequest<'_>) -> Connect<String> {
        let identity = if request.auth.is_empty() { "{}" } else { request.auth }.to_owned();
        Connect::Ready(Ok(AcceptedSocket { user: None, holder: Holder::Program, identity }))
    }

    fn connect(
        self: &Arc<Self>,
        auth: String,
        _: Option<&Resumed>,
        link: &mut SocketLink<'_>,
    ) -> Self {
        link.packet(&packet::event("auth", &auth));
        Self
    }
}

impl EventHandler for Echo {
    fn event(
        &mut self,
        event: &EventData<'_>,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) -> Flow<Then<Self>> {
        let arguments: Vec<_> = event.arguments.iter().map(|argument| argument.get()).collect();
        let arguments = arguments.join(",");
        match (&*event.name, id) {
            ("message", _) => link.packet(&packet::event("message-back", &arguments)),
            ("message-with-ack", Some(id)) => link.packet(&packet::ack(id, &arguments)),
            _ => {}
        }
        Flow::Continue
    }

    fn reject(&mut self, _: &Rejection, id: Option<u64>, link: &mut SocketLink<'_>) {
        link.ack(id, None);
    }

    fn render(&mut self, _: &Delivery, _: &mut RenderOutput<'_>) {}

    fn end(&mut self, _: &Close, _: &mut dyn PacketSink) {}

    fn expires(&self) -> Option<Instant> {
        None
    }
}

impl Handler for EngineEcho {
    const NAME: &'static str = "engine-echo";

    type Done = Infallible;

    fn message(&mut self, text: &str, link: &mut EngineLink<'_>) -> Flow<Infallible> {
        link.out.packet(&format!("4{text}"));
        Flow::Continue
    }

    fn binary(&mut self, _: &mut EngineLink<'_>) -> Flow<Infallible> {
        Flow::Continue
    }

    fn done(&mut self, done: Infallible, _: &mut EngineLink<'_>) {
        match done {}
    }

    fn render(&mut self, _: &Delivery, _: &mut dyn PacketSink) {}

    fn end(&mut self, _: &Close, _: &mut dyn PacketSink) {}

    fn deadline(&self) -> Option<(Instant, Close)> {
        None
    }

    fn is_connected(&self) -> bool {
        true
    }
}

fn core() -> Result<Core, auth::BadSettings> {
    let (limits, life) = (Limits::default(), Life::new());
    Ok(Core {
        hub: Hub::new(Policies::default(), &limits, &life),
        sessions: Registry::new(limits.clone()),
        presence: Presence::default(),
        auth: Authority::new(&AuthSettings { mode: Mode::Open, ..AuthSettings::default() })?,
        quotas: Quotas::new(&limits),
        shares: Shares::new(&limits),
        origins: Origins::default(),
        turns: Turns::default(),
        life,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    auth::install_crypto();
    let core = core()?;
    let engine = engineio::router(&core, "/engine.io/", CONFIG, |_, _| EngineEcho);
    let router = quadrille_socketio::router(&core, CONFIG, &Arc::new(Echo)).merge(engine);
    let listener = TcpListener::bind(("127.0.0.1", 3000)).await?;
    Ok(axum::serve(listener, router).await?)
}
