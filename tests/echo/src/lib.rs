//! An echo over WebSocket, which uses nothing beyond `docs/extending.md`. A text message comes back,
//! and `subscribe CHANNEL` shows the records of a channel.
use std::{convert::Infallible, error::Error, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use quadrille_core::{Delivery, Position, Since, Topic};
use quadrille_edge::{
    Core,
    ws::{self, AcceptedClient, Flow, Frames, Link, Protocol},
};
use quadrille_identity::{Action, Payer, Rate};
use tokio::time::Instant;

/// Path of the WebSocket.
pub const PATH: &str = "/echo";

/// Upper bound on the subscriptions of one connection. One more is refused.
const MAX_CHANNELS: usize = 100;

const CONFIG: ws::Config = ws::Config {
    max_message_size: 1 << 16,
    ping_interval: Duration::from_secs(30),
    ping_timeout: Duration::from_secs(10),
    write_timeout: Duration::from_secs(30),
};

struct Connection {
    core: Core,
    client: AcceptedClient,
}

/// Routes of the echo.
pub fn router(core: &Core) -> Router {
    Router::new().route(PATH, any(open)).with_state(core.clone())
}

async fn open(State(core): State<Core>, request: Request) -> Response {
    ws::accept(&core, request, CONFIG, |client| Connection { core: core.clone(), client }).await
}

impl Connection {
    fn charge(&self) -> Result<(), Box<dyn Error>> {
        let payer = Payer::new(self.client.principal.user.as_ref(), self.client.peer);
        Ok(self.core.quotas.take(Rate::Frames, &payer)?)
    }

    fn subscribe(&self, channel: &str, link: &mut Link<'_>) -> Result<Position, Box<dyn Error>> {
        let topic = Topic::from_channel(channel)?;
        self.core.auth.allow(&self.client.principal, Action::Read, &topic)?;
        if link.inbox.tag(&topic).is_none() && link.inbox.len() >= MAX_CHANNELS {
            return Err("too many channels".into());
        }
        Ok(link.inbox.subscribe(&topic, Since::Now, 0)?)
    }
}

impl Protocol for Connection {
    const NAME: &'static str = "echo";

    type Done = Infallible;

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<Infallible> {
        let answer = self.charge().and_then(|()| match text.strip_prefix("subscribe ") {
            Some(channel) => Ok(format!("subscribed {}", self.subscribe(channel, link)?)),
            None => Ok(text.to_owned()),
        });
        link.out.text(&answer.unwrap_or_else(|err| format!("error {err}")));
        Flow::Continue
    }

    fn binary(&mut self, link: &mut Link<'_>) -> Flow<Infallible> {
        link.out.text("error send text");
        Flow::Continue
    }

    fn done(&mut self, done: Infallible, _: &mut Link<'_>) {
        match done {}
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            Delivery::Record(record, _) => {
                out.text(&format!("{} {}", record.topic.channel(), &*record.payload));
            }
            Delivery::Gap(gap, _) => out.text(&format!("gap {}", gap.topic.channel())),
            Delivery::Deleted(topic, _) => out.text(&format!("deleted {}", topic.channel())),
            Delivery::End(_) => {}
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.client.principal.expires
    }
}

/// Compiles the protocol in the document.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/extending.md")]
struct Document;
