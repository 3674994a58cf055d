//! A connected client, and what all of its commands use.
use std::sync::Arc;

use futures_util::FutureExt;
use quadrille_core::{
    BadPosition, Draft, Position, Publish, Receipt, Seat, SessionInfo, Since, Tag, TooManyTopics,
    Topic, telemetry,
};
use quadrille_edge::ws;
use quadrille_identity::{Exceeded, Payer, Principal, Rate};
use quadrille_socketio::SocketLink;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::own::OwnTurns;
use crate::{
    config::NAME,
    state::{ConnectedCount, State},
};

pub(super) type ClientFlow = ws::Flow<Continuation>;
pub(super) type Continuation = quadrille_socketio::Then<Client>;

/// Flags of a subscription's tag: events carry their position.
pub(super) const POSITIONS: Tag = 1;
/// The client joined or watches the topic: all records are shown.
pub(super) const SHOWN: Tag = 2;
/// Turns of the client run in the topic, which are shown to it alone.
pub(super) const OWN: Tag = 4;

/// A connected client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) state: Arc<State>,
    pub(super) info: Arc<SessionInfo>,
    /// Id by which other clients know it.
    pub(super) sid: Uuid,
    pub(super) principal: Principal,
    /// The user that it acts for: that of the token, or a claimed one that is believed.
    pub(super) user: Option<Arc<str>>,
    pub(super) own: OwnTurns,
    payer: Payer,
    seats: Vec<Seat>,
    _present: ConnectedCount,
}

/// Where to begin, and whether each event carries its position: what every way of joining takes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct JoinOptions {
    #[serde(default)]
    since: Option<Value>,
    #[serde(default)]
    positions: Option<bool>,
}

/// Error of a subscription.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub(super) enum SubscribeError {
    #[error("since is {0}")]
    Position(#[from] BadPosition),
    #[error("this connection is in {0} rooms already; leave one first")]
    TooMany(usize),
    #[error("{}", advice(*.0))]
    Topics(#[from] TooManyTopics),
}

const TOPICS_FULL: &str =
    "the server holds too many topics; use one that exists, or try again later";

fn advice(err: TooManyTopics) -> &'static str {
    match err {
        TooManyTopics::Full => TOPICS_FULL,
        TooManyTopics::Share => "you are in too many rooms; leave some first",
    }
}

impl JoinOptions {
    fn since(&self) -> Result<Option<Position>, BadPosition> {
        match &self.since {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some),
            Some(_) => Err(BadPosition),
        }
    }
}

impl Client {
    pub(super) fn new(
        state: &Arc<State>,
        principal: Principal,
        user: Option<Arc<str>>,
        link: &SocketLink<'_>,
    ) -> Self {
        Self {
            state: Arc::clone(state),
            info: Arc::clone(link.info()),
            sid: link.sid(),
            payer: Payer::new(user.as_ref(), link.info().peer),
            principal,
            user,
            own: OwnTurns::default(),
            seats: Vec::new(),
            _present: state.connected(),
        }
    }

    /// Handles that a command needs to go on without the client: the state, the token, and the user.
    pub(super) fn acting(&self) -> (Arc<State>, Principal, Option<Arc<str>>) {
        (Arc::clone(&self.state), self.principal.clone(), self.user.clone())
    }

    /// Counts a publication.
    pub(super) fn count_publication(&self) -> Result<(), Exceeded> {
        self.state.core.quotas.take(Rate::Publishes, &self.payer)
    }

    /// Refuses a command: by the event `error`, and in the acknowledgement if there is one.
    pub(super) fn refuse(
        &self,
        code: &'static str,
        message: &str,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) {
        telemetry::client_error(NAME, self.info.id, code);
        link.event("error", &json!({"message": message}));
        link.ack(id, Some(&json!({"error": message})));
    }

    /// Shows `topic` to the client. Gives the position after which its records are delivered.
    pub(super) fn subscribe(
        &mut self,
        topic: &Topic,
        options: &JoinOptions,
        link: &mut SocketLink<'_>,
    ) -> Result<Position, SubscribeError> {
        let since = options.since()?;
        let before = link.tag(topic).unwrap_or_default();
        let positions = if options.positions.unwrap_or_default() { POSITIONS } else { 0 };
        let tag: Tag = SHOWN | positions | before & OWN;
        let present = link.retag(topic, tag);
        let max = self.state.config.max_rooms;
        if present.is_none() && link.topic_count() > max {
            return Err(SubscribeError::TooMany(max));
        }
        let at = match (since, present) {
            // Followed for its own questions alone: the turn that runs may be another one.
            (None, Some(present)) if before & SHOWN == 0 => {
                link.subscribe(topic, Since::Fresh(present), tag)?
            }
            (None, Some(present)) => present,
            (None, None) => link.subscribe(topic, Since::Now, tag)?,
            (Some(since), _) => link.subscribe(topic, Since::After(since), tag)?,
        };
        if before & SHOWN == 0 {
            self.join_presence(topic);
        }
        Ok(at)
    }

    /// Adds the client to the members of `topic`, if its policy has presence.
    pub(super) fn join_presence(&mut self, topic: &Topic) {
        let core = &self.state.core;
        if core.hub.policy(topic).presence {
            self.seats.push(core.presence.join(topic, &self.info));
        }
    }

    pub(super) fn leave_presence(&mut self, topic: &Topic) {
        self.seats.retain(|seat| seat.topic() != topic);
    }

    /// Shows `topic` no more. False if it was not shown.
    pub(super) fn unsubscribe(&mut self, topic: &Topic, link: &mut SocketLink<'_>) -> bool {
        self.leave_presence(topic);
        match link.tag(topic) {
            // Its own turns go on being shown.
            Some(tag) if tag & OWN != 0 => {
                link.retag(topic, OWN);
                tag & SHOWN != 0
            }
            _ => link.unsubscribe(topic),
        }
    }

    /// Publishes, and acknowledges once it is done.
    pub(super) fn publish(
        &self,
        draft: Draft,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) -> ClientFlow {
        let done = move |client: &Self,
                         result: Result<Receipt, TooManyTopics>,
                         link: &mut SocketLink<'_>| match result {
            Ok(_) => link.ack(id, None),
            Err(_) => client.refuse("unpublished", TOPICS_FULL, id, link),
        };
        match self.state.core.hub.publish(draft) {
            Publish::Done(ready) => {
                done(self, ready.into_inner(), link);
                ClientFlow::Continue
            }
            Publish::Wait(waiting) => ClientFlow::Wait(
                async move {
                    let result = waiting.await;
                    let then: Continuation =
                        Box::new(move |client, link| done(client, result, link));
                    then
                }
                .boxed(),
            ),
        }
    }
}
