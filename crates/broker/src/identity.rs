//! Whom a connection acts for, on whose account, and how it goes on with a new token.
use std::net::IpAddr;

use quadrille_core::{
    Info, Key, Payer, Quotas, Rate, Topic,
    auth::{Action, Authority, NotAllowed, Principal, Token},
    published_key,
};
use tokio::time::Instant;

use crate::error::Error;

#[derive(Debug)]
pub(crate) struct Identity {
    authority: Authority,
    quotas: Quotas,
    who: Principal,
    peer: IpAddr,
    payer: Payer,
}

impl Identity {
    pub(crate) fn new(authority: Authority, quotas: Quotas, who: Principal, peer: IpAddr) -> Self {
        let payer = Payer::new(who.user.as_ref(), peer);
        Self { authority, quotas, who, peer, payer }
    }

    /// Count one of what the client does.
    pub(crate) fn count(&self, rate: Rate) -> Result<(), Error> {
        Ok(self.quotas.take(rate, &self.payer)?)
    }

    pub(crate) fn allow(&self, action: Action, topic: &Topic) -> Result<(), NotAllowed> {
        self.authority.allow(&self.who, action, topic)
    }

    /// The key of what this client publishes about a message: its user's, or else its own.
    pub(crate) fn key(&self, session: &Info, kind: &str, message: &str) -> Key {
        match &self.who.user {
            Some(user) => published_key(&format!("user {user}"), kind, message),
            None => published_key(&format!("session {}", session.id), kind, message),
        }
    }

    pub(crate) fn expires(&self) -> Option<Instant> {
        self.who.expires
    }

    /// Checks a new token of this client, to be applied with [`Self::apply`]. A connection stays with
    /// its user: others see it as theirs.
    pub(crate) fn refresh(
        &self,
        token: Token,
    ) -> impl Future<Output = Result<Principal, Error>> + Send + use<> {
        let (authority, quotas) = (self.authority.clone(), self.quotas.clone());
        let (user, peer) = (self.who.user.clone(), self.peer);
        async move {
            quotas.may_show_token(&peer.into())?;
            let known = authority.identify(Some(&token)).await;
            let who = known.inspect_err(|err| quotas.token_refused(&peer.into(), *err))?;
            if who.user == user { Ok(who) } else { Err(Error::AnotherUser) }
        }
    }

    /// Continues as `who`. Gives the seconds until that expires.
    pub(crate) fn apply(&mut self, who: Principal) -> Option<u64> {
        self.who = who;
        self.who.expires_in()
    }
}
