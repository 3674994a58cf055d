//! Who sends a request, and what is open to them.
use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_core::{
    Holder, Permit, Problem,
    auth::{Action, Principal, Token},
    ws::Peer,
};
use quadrille_store::{Chat, Run, Store};
use uuid::Uuid;

use super::error::Error;
use crate::door::{self, Door};

/// The client of a request. Extracting it counts the request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    /// As the caller may use it.
    pub(super) store: Store,
    peer: IpAddr,
    door: Arc<Door>,
}

impl Caller {
    /// A chat that is open to the caller. What is not theirs does not exist.
    pub(super) async fn chat(&self, id: &str, action: Action) -> Result<Chat, Error> {
        let chat = self.store.chat(id).await?;
        let may = |chat: &Chat| self.door.may(chat.user_id.as_deref(), id, action, &self.principal);
        chat.filter(may).ok_or(Error::NoChat)
    }

    /// Whether the caller may make a chat of this name. Its topic is theirs from then on, so where
    /// clients sign in it must be theirs before, or unheard of.
    pub(super) fn may_call(&self, id: &str) -> Result<(), Error> {
        let topic = door::topic(id).map_err(|why| Error::Invalid(format!("chat_id: {why}")))?;
        // It would have the address of another door.
        if id == "restore" {
            return Err(Error::Invalid("chat_id: choose another name than this one".to_owned()));
        }
        let core = &self.door.core;
        if self.door.is_open() || core.auth.allow(&self.principal, Action::Write, &topic).is_ok() {
            return Ok(());
        }
        // They would not find it again.
        if self.principal.user.is_none() {
            return Err(Error::Nobody);
        }
        let nothing_said = core.hub.top(&topic).is_none_or(|at| at.offset == 0);
        if Uuid::try_parse(id).is_ok() && nothing_said { Ok(()) } else { Err(Error::Named) }
    }

    /// Who what is made belongs to, and a place for a request that works on files of its own.
    pub(super) fn enter(&self) -> Result<(Option<Arc<str>>, Permit), Error> {
        let owner = self.principal.user.clone();
        if owner.is_none() && !self.door.is_open() {
            return Err(Error::Nobody);
        }
        Ok((owner, self.place()?))
    }

    /// A place for a request of this kind.
    pub(super) fn place(&self) -> Result<Permit, Error> {
        Ok(self.door.room.enter(&self.holder())?)
    }

    /// The client that the request counts as in what all share.
    pub(super) fn holder(&self) -> Holder {
        self.door.core.holder(&self.principal, self.peer)
    }

    /// The client that work for `user` counts as.
    pub(super) fn acting_holder(&self, user: &Arc<str>) -> Holder {
        self.door.core.holder_for(&self.principal, Some(user), self.peer)
    }

    pub(super) fn need(&self, scope: &'static str) -> Result<(), Error> {
        if self.principal.has_scope(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
    }

    /// A run of such a chat.
    pub(super) async fn run(
        &self,
        chat: &str,
        run: &str,
        action: Action,
    ) -> Result<(Chat, Run), Error> {
        let chat = self.chat(chat, action).await?;
        let run = self.store.run(run).await?;
        let run = run.filter(|it| it.chat_id == chat.id).ok_or(Error::NoRun)?;
        Ok((chat, run))
    }
}

impl FromRequestParts<Arc<Door>> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Error> {
        let token = Token::find(&parts.method, &parts.headers, &parts.uri, &door.core.origins);
        let peer = Peer::within(&parts.extensions);
        let principal = door.core.authenticate(token.as_ref(), peer.0).await;
        let principal = principal.map_err(Problem::from)?;
        door.core.carries(&parts.extensions, &principal).map_err(Problem::from)?;
        let holder = door.core.holder(&principal, peer.0);
        let store = door.memory.store.acting(holder);
        Ok(Self { principal, store, peer: peer.0, door: Arc::clone(door) })
    }
}
