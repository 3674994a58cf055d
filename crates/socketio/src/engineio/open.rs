//! Requests to the one address of Engine.IO, and the beginning of sessions.
use std::{borrow::Cow, net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, Uri};
use quadrille_core::{Admission, Inbox, NotAdmitted, Session};
use quadrille_edge::{
    http::{Carrier, Peer, Problem, token},
    ws::{self, Opening},
};
use quadrille_identity::{Payer, Rate};

use super::{
    error::Error, handler::Handler, packet, poll, server::EngineServer, upgrade,
    websocket::WebSocket,
};
use crate::random;

/// The parameters of a request.
#[derive(Debug, Default)]
struct EngineQuery<'a> {
    version: Option<Cow<'a, str>>,
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
}

impl<'a> EngineQuery<'a> {
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

pub(super) async fn open<H: Handler>(
    State(server): State<Arc<EngineServer<H>>>,
    request: Request,
) -> Response {
    let uri = request.uri().clone();
    let query = EngineQuery::of(&uri);
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
        Some(sid) => match server.sessions.find(&sid) {
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
        (Transport::Polling, None) if method == Method::GET => begin_polling(&server, &request),
        (Transport::WebSocket, None) if method == Method::GET => connect(&server, request),
        (Transport::Polling, Some(slot)) if method == Method::GET => poll::read(&slot).await,
        (Transport::Polling, Some(slot)) if method == Method::POST => {
            poll::write(&slot, request, server.config.max_message_size).await
        }
        (Transport::WebSocket, Some(slot)) => upgrade::upgrade(&server, slot, request),
        _ => Error::Method.into_response(),
    }
}

/// Admits a session of a client that is not identified yet, within the limits of connections.
fn admit<H: Handler>(server: &EngineServer<H>, peer: IpAddr) -> Result<(Session, Inbox), Problem> {
    let core = &server.core;
    core.quotas.take(Rate::Requests, &Payer::from(peer))?;
    let holder = core.newcomer(peer);
    Ok(ws::admit(core, Admission { protocol: H::NAME, user: None, holder, peer })?)
}

fn begin_polling<H: Handler>(server: &EngineServer<H>, request: &Request) -> Response {
    let (session, inbox) = match admit(server, Peer::of(request).0) {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    let token = token::of(request, &server.core.origins);
    let handler = (server.open)(session.info(), token);
    // It is known to its client alone.
    let sid = random::secret();
    let open = packet::open(&sid, &["websocket"], &server.config);
    server.sessions.open(&sid, handler, session, inbox, &server.config);
    poll::body(open)
}

fn connect<H: Handler>(server: &EngineServer<H>, mut request: Request) -> Response {
    let mut opening = match Opening::of(&server.core, &mut request) {
        Ok(opening) => opening,
        Err(refusal) => return refusal,
    };
    let (session, inbox) = match admit(server, opening.peer) {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    let handler = (server.open)(session.info(), opening.token.take());
    let packet = packet::open(&random::secret(), &[], &server.config);
    let socket = WebSocket::new(handler, packet);
    opening.serve(&server.core, session, inbox, socket, ws::Config::from(&server.config))
}
