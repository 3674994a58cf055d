//! CONNECT: authenticates a client, and resumes its socket.
use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt;
use quadrille_core::{Since, Topic};
use quadrille_identity::{Denied, Exceeded, Principal, Token};
use quadrille_socketio::{
    AcceptedSocket, Application, Connect, ConnectRequest, Refusal, ResumePoint, Resumed, SocketLink,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    closed,
    connected::{Client, OWN, SHOWN},
    own::OwnTurns,
};
use crate::{config::NAME, state::State, topic::everybody, wire::text_or_number};

/// The members of the auth payload that are read here.
#[derive(Debug, Default, Deserialize)]
struct AuthPayload<'a> {
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
    /// Believed in open mode, if it is a string or a number.
    #[serde(default)]
    user_id: Value,
}

/// A client that may connect.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    principal: Principal,
    user: Option<Arc<str>>,
    /// Topics of the socket to resume that it may not see any more.
    closed: Vec<Topic>,
}

/// Credentials of a client that asks to connect.
struct Credentials {
    token: Option<Token>,
    claimed: Option<Arc<str>>,
}

impl Application for State {
    const NAME: &'static str = NAME;

    type Identity = ClientIdentity;
    type Client = Client;

    fn identify(self: &Arc<Self>, request: ConnectRequest<'_>) -> Connect<ClientIdentity> {
        let credentials = match self.credentials(&request) {
            Ok(credentials) => credentials,
            Err(refusal) => return Connect::Ready(Err(refusal)),
        };
        let peer = request.info.peer;
        let auth = &self.core.auth;
        let needs_key =
            credentials.token.as_ref().is_some_and(|token| auth.needs_unknown_key(token));
        if !needs_key && request.resume.is_none() {
            let accepted = self.recognise(&credentials, request.info.peer);
            return Connect::Ready(accepted);
        }
        let (state, resume) = (Arc::clone(self), request.resume.cloned());
        Connect::Wait(
            async move {
                if needs_key {
                    state.core.auth.renew().await;
                }
                let mut accepted = state.recognise(&credentials, peer)?;
                if let Some(resume) = resume {
                    let AcceptedSocket { user, identity, .. } = &mut accepted;
                    let (topics, user) = (resume.topics(user.as_ref()), user.as_deref());
                    identity.closed =
                        closed::closed(&state, &identity.principal, user, topics).await;
                }
                Ok(accepted)
            }
            .boxed(),
        )
    }

    fn connect(
        self: &Arc<Self>,
        identity: ClientIdentity,
        resumed: Option<&Resumed>,
        link: &mut SocketLink<'_>,
    ) -> Client {
        let ClientIdentity { principal, user, closed } = identity;
        let mut client = Client::new(self, principal, user, link);
        let lost = resumed.map(|resumed| client.resume(resumed, closed, link)).unwrap_or_default();
        subscribe_broadcast(link);
        if let Some(user) = &client.user {
            let hello = json!({
                "status": "success", "message": "Connected to chat server", "user_id": &**user,
            });
            link.event("connected", &hello);
        }
        let status = json!({
            "connected": true, "message": "Connected to HAZoom WebSocket", "sid": client.sid,
        });
        link.event("status", &status);
        for topic in &lost {
            closed::notify(topic, link);
        }
        client
    }
}

impl State {
    fn credentials(&self, request: &ConnectRequest<'_>) -> Result<Credentials, Refusal> {
        let copy = OnceLock::new();
        let auth: AuthPayload<'_> =
            quadrille_core::json::read_in(request.auth, &copy).unwrap_or_default();
        let sent = auth.token.filter(|token| !token.is_empty()).map(|token| Token::from(&*token));
        let token = sent.or_else(|| request.token.cloned());
        if token.is_none() && !self.takes_guests() {
            return Err(denied(Denied::Missing));
        }
        self.core.quotas.may_show_token(&request.info.peer.into()).map_err(exceeded)?;
        let claimed = text_or_number(&auth.user_id).filter(|_| self.is_open());
        let claimed = claimed.filter(|user| Topic::new("user", user).is_ok()).map(Arc::from);
        Ok(Credentials { token, claimed })
    }

    fn recognise(
        &self,
        credentials: &Credentials,
        peer: std::net::IpAddr,
    ) -> Result<AcceptedSocket<ClientIdentity>, Refusal> {
        let known = match &credentials.token {
            None if !self.is_open() => Ok(Principal::guest()),
            token => self.core.auth.recognise(token.as_ref()),
        };
        let principal = known.map_err(|err| {
            self.core.quotas.token_refused(&peer.into(), err);
            denied(err)
        })?;
        let user = principal.user.clone().or_else(|| credentials.claimed.clone());
        let holder = self.core.holder_for(&principal, user.as_ref(), peer);
        let identity = ClientIdentity { principal, user: user.clone(), closed: Vec::new() };
        Ok(AcceptedSocket { user, holder, identity })
    }
}

fn denied(err: Denied) -> Refusal {
    let message = match err {
        Denied::Missing => "Authentication token required",
        Denied::Unavailable => "Authentication failed",
        _ => "Invalid token",
    };
    Refusal(message.into())
}

fn exceeded(err: Exceeded) -> Refusal {
    Refusal(err.to_string().into())
}

/// Follows the topic of everybody, unless a resumed socket does.
fn subscribe_broadcast(link: &mut SocketLink<'_>) {
    let topic = everybody();
    if link.tag(&topic).is_none() && link.subscribe(&topic, Since::Now, SHOWN).is_err() {
        // Still a good connection, but for what is sent to everybody.
        tracing::debug!("no room for the topic of everybody");
    }
}

impl Client {
    /// Follows what a resumed socket followed, each topic after the last record that was shown.
    /// Gives the topics that are shown no more: those that are `closed`, and those that exceed a
    /// limit.
    fn resume(
        &mut self,
        resumed: &Resumed,
        closed: Vec<Topic>,
        link: &mut SocketLink<'_>,
    ) -> Vec<Topic> {
        let (everybody, closed) = (everybody(), HashSet::<_>::from_iter(closed));
        let mut lost = Vec::new();
        for ResumePoint { topic, tag, after } in resumed.points() {
            // The topic of everybody needs no grant, and neither do its own turns.
            let is_closed = *topic != everybody && closed.contains(topic);
            let kept = if is_closed { tag & OWN } else { *tag };
            let is_followed =
                kept != 0 && link.subscribe(topic, Since::After(*after), kept).is_ok();
            let kept = if is_followed { kept } else { 0 };
            if kept & OWN != 0 {
                self.own = OwnTurns::resume(&self.state.desk, resumed.notes(), *after);
            }
            if kept & SHOWN != 0 && *topic != everybody {
                self.join_presence(topic);
            }
            if tag & SHOWN != 0 && kept & SHOWN == 0 {
                lost.push(topic.clone());
            }
        }
        lost
    }
}
