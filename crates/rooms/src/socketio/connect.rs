//! How a client comes into the namespace: who it is, and what it is told.
use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt;
use quadrille_core::{Since, Topic, telemetry, user_topic};
use quadrille_identity::{Denied, Payer, Principal, Token};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{Client, Connected, Flow, Link, SEEN, State},
    closed,
    own::Owned,
    packet,
    recovery::{Back, Hold},
};
use crate::{
    NAME,
    door::Door,
    render::NAMED,
    wire::{self, text_or_number},
};

/// What comes with the packet that connects. Everything else in it is somebody else's.
#[derive(Debug, Default, Deserialize)]
struct Auth<'a> {
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
    /// Believed where nobody signs in, if it is a text or a number.
    #[serde(default)]
    user_id: Value,
    /// What a client was given that comes back, and the last offset that it got.
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    offset: Value,
}

/// Somebody who wants in.
struct Coming {
    token: Option<Token>,
    claimed: Option<Arc<str>>,
    back: Option<Back>,
}

/// The topic of what is said to everybody.
pub(crate) fn everybody() -> Topic {
    Topic::new("room", NAMED).expect("a name of one character is a topic's")
}

impl Client {
    /// A client wants in. A second time is not an error, and changes nothing.
    pub(super) fn connect(&mut self, data: &str, link: &mut Link<'_>) -> Flow {
        let State::New { until } = self.state else { return Flow::Continue };
        let copy = OnceLock::new();
        let auth: Auth<'_> = quadrille_core::json::read_in(data, &copy).unwrap_or_default();
        let claimed = text_or_number(&auth.user_id).filter(|_| self.door.is_open());
        let sent = auth.token.filter(|token| !token.is_empty()).map(|it| Token::from(&*it));
        let token = sent.or_else(|| self.token.clone());
        let missing = token.is_none() && !self.door.takes_guests();
        if missing {
            return self.refused(Denied::Missing, link);
        }
        if let Err(why) = self.door.core.quotas.may_show_token(&self.peer.into()) {
            link.out.packet(&packet::refused("/", &why.to_string()));
            return Flow::Continue;
        }
        let claimed = claimed.filter(|it| user_topic(it).is_ok()).map(Arc::from);
        let back = Back::of(&auth.pid, &auth.offset).filter(|_| self.door.recovery.is_on());
        let coming = Coming { token, claimed, back };
        let authority = self.door.core.auth.clone();
        let misses_key = coming.token.as_ref().is_some_and(|it| authority.needs_unknown_key(it));
        if !misses_key && coming.back.is_none() {
            let known = coming.recognised(&self.door);
            self.admit(known, coming, Vec::new(), link);
            return Flow::Continue;
        }
        self.state = State::Asking { until };
        let door = Arc::clone(&self.door);
        Flow::Wait(
            async move {
                if misses_key {
                    authority.renew().await;
                }
                let known = coming.recognised(&door);
                let closed = match (&known, &coming.back) {
                    (Ok(who), Some(back)) => {
                        back.closed(&door, who, coming.user(who).as_ref()).await
                    }
                    _ => Vec::new(),
                };
                let then: super::Then =
                    Box::new(move |client, link| client.admit(known, coming, closed, link));
                then
            }
            .boxed(),
        )
    }

    fn admit(
        &mut self,
        known: Result<Principal, Denied>,
        coming: Coming,
        closed: Vec<Topic>,
        link: &mut Link<'_>,
    ) {
        match known {
            Ok(who) => self.connected_as(who, coming, closed, link),
            Err(why) => {
                self.door.core.quotas.token_refused(&self.peer.into(), why);
                self.refused(why, link);
            }
        }
    }

    fn refused(&mut self, why: Denied, link: &mut Link<'_>) -> Flow {
        let message = match why {
            Denied::Missing => "Authentication token required",
            Denied::Unavailable => "Authentication failed",
            _ => "Invalid token",
        };
        self.kept_out(message, link)
    }

    fn kept_out(&mut self, message: &str, link: &mut Link<'_>) -> Flow {
        telemetry::client_error(NAME, self.info.id, "refused");
        link.out.packet(&packet::refused("/", message));
        // It may ask again, in the time that is left.
        if let State::Asking { until } = self.state {
            self.state = State::New { until };
        }
        Flow::Continue
    }

    fn connected_as(
        &mut self,
        who: Principal,
        coming: Coming,
        closed: Vec<Topic>,
        link: &mut Link<'_>,
    ) {
        let user = coming.user(&who);
        let holder = self.door.core.holder_for(&who, user.as_ref(), self.peer);
        if let Err(err) = self.door.core.sessions.identified(self.info.id, &holder) {
            telemetry::connection_kept_out(NAME, &err, err.reason());
            self.kept_out(&err.to_string(), link);
            return;
        }
        link.inbox.set_holder(holder);
        if let Some(user) = &user {
            self.info.set_user(Arc::clone(user));
        }
        let back = coming.back;
        let resumed = back.as_ref().and_then(|it| it.take(&self.door, user.as_ref()));
        let hold = Hold::new(&self.door, &self.info, user.as_ref(), back, resumed.as_ref());
        let pid = hold.as_ref().map(|it| it.pid().to_owned());
        self.state = State::Connected(Box::new(Connected {
            who,
            payer: Payer::new(user.as_ref(), self.peer),
            user: user.clone(),
            seats: Vec::new(),
            own: Owned::default(),
            hold: hold.map(Box::new),
            _present: self.door.connected(),
        }));
        let gone = resumed.map(|it| self.go_on(&it, closed, link)).unwrap_or_default();
        self.hear_everybody(link);
        let sid = self.sid();
        link.out.packet(&packet::connected(sid, pid.as_deref()));
        if let Some(user) = &user {
            let hello = json!({
                "status": "success", "message": "Connected to chat server", "user_id": &**user,
            });
            link.event("connected", &hello);
        }
        let status =
            json!({"connected": true, "message": "Connected to HAZoom WebSocket", "sid": sid});
        link.out.packet(&packet::event("status", &wire::json(&status)));
        for topic in &gone {
            closed::tell(topic, link);
        }
    }

    /// Show what is said to everybody, unless it goes on being shown.
    fn hear_everybody(&mut self, link: &mut Link<'_>) {
        let topic = everybody();
        if link.inbox.tag(&topic).is_some() {
            return;
        }
        let Ok(at) = link.inbox.subscribe(&topic, Since::Now, SEEN) else {
            // Still a good connection, but for what is said to everybody.
            tracing::debug!("no room for the topic of everybody");
            return;
        };
        if let Some(connected) = self.connected() {
            connected.follows(&topic, SEEN, Some(at));
        }
    }
}

impl Coming {
    fn recognised(&self, door: &Door) -> Result<Principal, Denied> {
        match &self.token {
            None if !door.is_open() => Ok(Principal::guest()),
            token => door.core.auth.recognise(token.as_ref()),
        }
    }

    /// Whom `who` acts for.
    fn user(&self, who: &Principal) -> Option<Arc<str>> {
        who.user.clone().or_else(|| self.claimed.clone())
    }
}
