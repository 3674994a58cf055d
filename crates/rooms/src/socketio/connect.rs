//! How a client comes into the namespace: who it is, and what it is told.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_core::{
    Payer, Since, Topic,
    auth::{Denied, Principal, Token},
    telemetry,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{Client, Connected, Flow, Link, SEEN, State},
    own::Owned,
    packet,
};
use crate::{
    NAME,
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
}

/// The topic of what is said to everybody.
pub(crate) fn everybody() -> Topic {
    Topic::new("room", NAMED).expect("a name of one character is a topic's")
}

impl Client {
    /// A client wants in. A second time is not an error, and changes nothing.
    pub(super) fn connect(&mut self, data: &str, link: &mut Link<'_>) -> Flow {
        let State::New { until } = self.state else { return Flow::Continue };
        let auth: Auth<'_> = serde_json::from_str(data).unwrap_or_default();
        let claimed = text_or_number(&auth.user_id).filter(|_| self.door.is_open());
        let sent = auth.token.filter(|token| !token.is_empty()).map(|it| Token::from(&*it));
        let token = sent.or_else(|| self.token.clone());
        let missing = token.is_none() && !self.door.takes_guests();
        if missing {
            return self.refused(Denied::Missing, link);
        }
        if let Err(why) = self.door.core.quotas.may_show_token(self.peer) {
            link.out.packet(&packet::refused("/", &why.to_string()));
            return Flow::Continue;
        }
        let authority = self.door.core.auth.clone();
        if token.as_ref().is_some_and(|token| authority.misses_key_of(token)) {
            self.state = State::Asking { until };
            return Flow::Wait(
                async move {
                    authority.renew().await;
                    let then: super::Then =
                        Box::new(move |client, link| client.admit(token.as_ref(), claimed, link));
                    then
                }
                .boxed(),
            );
        }
        self.admit(token.as_ref(), claimed, link);
        Flow::Continue
    }

    fn admit(&mut self, token: Option<&Token>, claimed: Option<String>, link: &mut Link<'_>) {
        let core = &self.door.core;
        let known = match token {
            None if !self.door.is_open() => Ok(Principal::guest()),
            token => core.auth.recognise(token),
        };
        match known {
            Ok(who) => self.connected_as(who, claimed, link),
            Err(why) => {
                core.quotas.token_refused(self.peer, why);
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
        telemetry::client_error(NAME, self.info.id, "refused");
        link.out.packet(&packet::refused("/", message));
        // It may ask again, in the time that is left.
        if let State::Asking { until } = self.state {
            self.state = State::New { until };
        }
        Flow::Continue
    }

    fn connected_as(&mut self, who: Principal, claimed: Option<String>, link: &mut Link<'_>) {
        let claimed = claimed.filter(|it| Topic::new("user", it).is_ok()).map(Arc::<str>::from);
        let user = who.user.clone().or(claimed);
        if let Some(user) = &user {
            self.info.belongs_to(Arc::clone(user));
        }
        if link.inbox.subscribe(&everybody(), Since::Now, SEEN).is_err() {
            // Still a good connection, but for what is said to everybody.
            tracing::debug!("no room for the topic of everybody");
        }
        let sid = self.info.id;
        link.out.packet(&packet::connected(sid));
        if let Some(user) = &user {
            let hello = json!({
                "status": "success", "message": "Connected to chat server", "user_id": &**user,
            });
            link.event("connected", &hello);
        }
        let status =
            json!({"connected": true, "message": "Connected to HAZoom WebSocket", "sid": sid});
        link.out.packet(&packet::event("status", &wire::json(&status)));
        let payer = Payer::new(user.as_ref(), self.peer);
        let present = self.door.connected();
        self.state = State::Connected(Box::new(Connected {
            who,
            user,
            payer,
            seats: Vec::new(),
            own: Owned::default(),
            _present: present,
        }));
    }
}
