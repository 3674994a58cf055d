//! The one address of Engine.IO: what a request wants, and the beginning of sessions.
use std::{borrow::Cow, sync::Arc};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, Uri};
use quadrille_core::{Admission, Inbox, NotAdmitted, Session};
use quadrille_edge::{
    http::{Carrier, Peer, Problem, token},
    ws::{self, Handshake},
};
use quadrille_identity::{Payer, Rate};

use super::{error::Error, packet, poll, sessions::Slot, socket::Socket, upgrade};
use crate::{NAME, door::Door, socketio::Client, wire};

/// What the query says.
#[derive(Debug, Default)]
struct Query<'a> {
    version: Option<Cow<'a, str>>,
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    fn of(uri: &'a Uri) -> Self {
        let mut query = Self::default();
        let text = uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "EIO" => query.version = Some(value),
                "transport" => query.transport = Some(value),
                "sid" => query.sid = Some(value),
                _ => {}
            }
        }
        query
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Polling,
    WebSocket,
}

pub(super) async fn open(State(door): State<Arc<Door>>, request: Request) -> Response {
    let uri = request.uri().clone();
    let query = Query::of(&uri);
    if query.version.as_deref() != Some("4") {
        return Error::Version.into_response();
    }
    let transport = match query.transport.as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        _ => return Error::Transport.into_response(),
    };
    let slot = match query.sid {
        None => None,
        Some(sid) => match door.polling.find(&sid) {
            Some(slot) => Some(slot),
            None => return Error::Session.into_response(),
        },
    };
    if let Some(holder) = slot.as_ref().and_then(|slot| slot.holder())
        && let Err(shortage) = Carrier::identified(request.extensions(), &holder)
    {
        return Problem::from(NotAdmitted::from(shortage)).into_response();
    }
    let method = request.method().clone();
    match (transport, slot) {
        (Transport::Polling, None) if method == Method::GET => begin_polling(&door, &request),
        (Transport::WebSocket, None) if method == Method::GET => connect(&door, request),
        (Transport::Polling, Some(slot)) if method == Method::GET => poll::read(&slot).await,
        (Transport::Polling, Some(slot)) if method == Method::POST => {
            poll::write(&slot, request).await
        }
        (Transport::WebSocket, Some(slot)) => upgrade::upgrade(&door, &slot, request),
        _ => Error::Method.into_response(),
    }
}

/// A place for a session, if there is one.
fn admit(door: &Door, request: &Request) -> Result<(Session, Inbox, Peer), Problem> {
    let peer = Peer::of(request);
    door.core.quotas.take(Rate::Requests, &Payer::from(peer.0))?;
    let holder = door.core.newcomer(peer.0);
    let inbox = door.core.hub.inbox_of(holder.clone());
    let admission = Admission { protocol: NAME, user: None, holder, peer: peer.0 };
    Ok((door.core.sessions.admit(admission)?, inbox, peer))
}

fn client(door: &Arc<Door>, session: &Session, peer: Peer, request: &Request) -> Client {
    Client::new(door, session.info(), peer.0, token::of(request, &door.core.origins))
}

fn begin_polling(door: &Arc<Door>, request: &Request) -> Response {
    let (session, inbox, peer) = match admit(door, request) {
        Ok(admitted) => admitted,
        Err(why) => return why.into_response(),
    };
    let client = client(door, &session, peer, request);
    // It is known to its client alone.
    let sid = wire::secret();
    let open = packet::open(&sid, &["websocket"], &door.config);
    Slot::open(door, &sid, client, session, inbox);
    poll::body(open)
}

fn connect(door: &Arc<Door>, mut request: Request) -> Response {
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let (session, inbox, peer) = match admit(door, &request) {
        Ok(admitted) => admitted,
        Err(why) => return why.into_response(),
    };
    let (response, upgraded) = handshake.accept();
    let client = client(door, &session, peer, &request);
    let opening = packet::open(&wire::secret(), &[], &door.config);
    let (socket, config) = (Socket::new(client, opening), pump(door));
    door.core.life.spawn(NAME, async move {
        match upgraded.await {
            Ok(io) => ws::serve(io, session, inbox, socket, config).await,
            Err(why) => tracing::debug!(error = %why, "the client left during the handshake"),
        }
    });
    response
}

pub(super) fn pump(door: &Door) -> ws::Config {
    let config = &door.config;
    ws::Config {
        max_message_size: config.max_message_size,
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        write_timeout: config.write_timeout,
    }
}
