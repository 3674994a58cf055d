//! Accepts a WebSocket: from its handshake to a protocol that runs on the connection.
use std::{net::IpAddr, sync::Arc};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, Request, header};
use quadrille_core::{Admission, Inbox, NotAdmitted, Session, SessionInfo};
use quadrille_identity::{Principal, Token};

use super::{
    handshake::Handshake,
    protocol::Protocol,
    pump::{self, Config},
};
use crate::{
    Core,
    http::{Peer, Problem, token},
};

/// The client of an accepted connection.
#[derive(Debug)]
pub struct AcceptedClient {
    pub principal: Principal,
    pub peer: IpAddr,
    pub session: Arc<SessionInfo>,
}

/// A checked handshake of a page that may connect. Its client is not known yet.
#[derive(Debug)]
pub struct Opening {
    pub peer: IpAddr,
    pub token: Option<Token>,
    handshake: Handshake,
    subprotocol: Option<HeaderValue>,
}

/// Accepts a WebSocket: checks its origin, handshake and token, admits its client, and runs what
/// `protocol` makes for that client on a task of its own. A problem document says why it is
/// refused.
pub async fn accept<B, P: Protocol + 'static>(
    core: &Core,
    mut request: Request<B>,
    config: Config,
    protocol: impl FnOnce(AcceptedClient) -> P,
) -> Response {
    let opening = match Opening::of(core, &mut request) {
        Ok(opening) => opening,
        Err(refusal) => return refusal,
    };
    let principal = match core.authenticate(opening.token.as_ref(), opening.peer).await {
        Ok(principal) => principal,
        Err(err) => return Problem::from(err).into_response(),
    };
    let (user, peer) = (principal.user.clone(), opening.peer);
    let holder = core.holder(&principal, peer);
    let (session, inbox) = match admit(core, Admission { protocol: P::NAME, user, holder, peer }) {
        Ok(admitted) => admitted,
        Err(err) => return Problem::from(err).into_response(),
    };
    let protocol =
        protocol(AcceptedClient { principal, peer, session: Arc::clone(session.info()) });
    opening.serve(core, session, inbox, protocol, config)
}

/// Admits a session, and opens its inbox for the client that the session counts for.
pub fn admit(core: &Core, admission: Admission) -> Result<(Session, Inbox), NotAdmitted> {
    let inbox = core.hub.inbox_of(admission.holder.clone());
    Ok((core.sessions.admit(admission)?, inbox))
}

impl Opening {
    /// Checks the origin and the handshake of `request`; the error is the answer to it.
    #[expect(clippy::result_large_err, reason = "an answer is that large, and goes straight out")]
    pub fn of<B>(core: &Core, request: &mut Request<B>) -> Result<Self, Response> {
        core.origins.check(request.headers()).map_err(Problem::into_response)?;
        let handshake = Handshake::of(request)?;
        Ok(Self {
            peer: Peer::of(request).0,
            token: token::of(request, &core.origins),
            subprotocol: token::subprotocol(request.headers()),
            handshake,
        })
    }

    /// Completes the handshake, and runs `protocol` on the connection until the process stops at
    /// the latest.
    pub fn serve<P: Protocol + 'static>(
        self,
        core: &Core,
        session: Session,
        inbox: Inbox,
        protocol: P,
        config: Config,
    ) -> Response {
        let (mut response, upgraded) = self.handshake.accept();
        if let Some(subprotocol) = self.subprotocol {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        core.life.spawn(P::NAME, async move {
            match upgraded.await {
                Ok(io) => pump::serve(io, session, inbox, protocol, config).await,
                Err(err) => tracing::debug!(error = %err, "the client left during the handshake"),
            }
        });
        response
    }
}
