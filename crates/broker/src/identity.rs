//! Whom a connection acts for, on whose account, and how it goes on with a new token.
use std::net::IpAddr;

use futures_util::future::BoxFuture;
use quadrille_core::{Info, Key, Topic, published_key};
use quadrille_identity::{Action, Authority, NotAllowed, Payer, Principal, Quotas, Rate, Token};
use tokio::time::Instant;

use crate::{error::Error, frame::Form};

#[derive(Debug)]
pub(crate) struct Identity {
    authority: Authority,
    quotas: Quotas,
    who: Principal,
    peer: IpAddr,
    payer: Payer,
    /// A token whose key is being fetched.
    waiting: Option<Box<(Form, Token)>>,
}

/// What became of a new token: done, with the seconds until it ends, or not yet.
pub(crate) enum Refresh {
    Done(Result<Option<u64>, Error>),
    /// [`Identity::waited`] tells, after this.
    Wait(BoxFuture<'static, Option<String>>),
}

impl Identity {
    pub(crate) fn new(authority: Authority, quotas: Quotas, who: Principal, peer: IpAddr) -> Self {
        let payer = Payer::new(who.user.as_ref(), peer);
        Self { authority, quotas, who, peer, payer, waiting: None }
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

    pub(crate) fn refresh(&mut self, form: Form, token: Token) -> Refresh {
        if let Err(why) = self.quotas.may_show_token(&self.peer.into()) {
            return Refresh::Done(Err(why.into()));
        }
        if !self.authority.misses_key_of(&token) {
            return Refresh::Done(self.become_bearer_of(&token));
        }
        self.waiting = Some(Box::new((form, token)));
        let authority = self.authority.clone();
        Refresh::Wait(Box::pin(async move {
            authority.renew().await;
            None
        }))
    }

    /// What became of the token that was waited for, if one was.
    pub(crate) fn waited(&mut self) -> Option<(Form, Result<Option<u64>, Error>)> {
        let (form, token) = *self.waiting.take()?;
        Some((form, self.become_bearer_of(&token)))
    }

    /// A connection stays with its user: others see it as theirs.
    fn become_bearer_of(&mut self, token: &Token) -> Result<Option<u64>, Error> {
        let known = self.authority.recognise(Some(token));
        let who = known.inspect_err(|why| self.quotas.token_refused(&self.peer.into(), *why))?;
        if who.user != self.who.user {
            return Err(Error::AnotherUser);
        }
        self.who = who;
        Ok(self.who.expires_in())
    }
}
