//! The client of a request, and its permissions.
use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_core::{Holder, Permit};
use quadrille_edge::http::{Peer, Problem, token};
use quadrille_identity::{Action, Principal};
use quadrille_store::{Chat, Run, Store};
use uuid::Uuid;

use super::error::Error;
use crate::state::{State, chat_topic};

/// The client of a request. Extracting it charges the request to the quota.
#[derive(Clone, Debug)]
pub(super) struct ChatCaller {
    pub(super) principal: Principal,
    /// Store that charges what is kept to the caller.
    pub(super) store: Store,
    peer: IpAddr,
    state: Arc<State>,
}

impl ChatCaller {
    /// Looks up a chat. One that the caller may not access is reported as missing.
    pub(super) async fn chat(&self, id: &str, action: Action) -> Result<Chat, Error> {
        let chat = self.store.chat(id).await?;
        let may = |chat: &Chat| {
            self.state.may_access(chat.user_id.as_deref(), id, action, &self.principal)
        };
        chat.filter(may).ok_or(Error::NoChat)
    }

    /// Whether the caller may create a chat `id`. Its topic becomes theirs, so with authentication it
    /// must be theirs already, or a UUID that was never used.
    pub(super) fn check_chat_id(&self, id: &str) -> Result<(), Error> {
        let topic = chat_topic(id).map_err(|err| Error::Invalid(format!("chat_id: {err}")))?;
        // The path is taken by another endpoint.
        if id == "restore" {
            return Err(Error::Invalid("chat_id: choose another name".to_owned()));
        }
        let core = &self.state.core;
        if self.state.is_open() || core.auth.allow(&self.principal, Action::Write, &topic).is_ok() {
            return Ok(());
        }
        // An anonymous caller could not access it later.
        if self.principal.user.is_none() {
            return Err(Error::Nobody);
        }
        let unused = core.hub.top(&topic).is_none_or(|at| at.offset == 0);
        if Uuid::try_parse(id).is_ok() && unused { Ok(()) } else { Err(Error::Named) }
    }

    /// Returns the owner of new files, and a permit for a direct request.
    pub(super) fn admit_owner(&self) -> Result<(Option<Arc<str>>, Permit), Error> {
        let owner = self.principal.user.clone();
        if owner.is_none() && !self.state.is_open() {
            return Err(Error::Nobody);
        }
        Ok((owner, self.admit()?))
    }

    /// Takes a permit for a direct request.
    pub(super) fn admit(&self) -> Result<Permit, Error> {
        Ok(self.state.direct_limit.admit(&self.holder())?)
    }

    /// Holder that the request is charged to.
    pub(super) fn holder(&self) -> Holder {
        self.state.core.holder(&self.principal, self.peer)
    }

    /// Holder that work for `user` is charged to.
    pub(super) fn acting_holder(&self, user: &Arc<str>) -> Holder {
        self.state.core.holder_for(&self.principal, Some(user), self.peer)
    }

    pub(super) fn require_scope(&self, scope: &'static str) -> Result<(), Error> {
        if self.principal.has_scope(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
    }

    /// Looks up a run of a chat, as [`chat`](Self::chat) does.
    pub(super) async fn run(
        &self,
        chat: &str,
        run: &str,
        action: Action,
    ) -> Result<(Chat, Run), Error> {
        let chat = self.chat(chat, action).await?;
        let run = self.store.run(run).await?;
        let run = run.filter(|run| run.chat_id == chat.id).ok_or(Error::NoRun)?;
        Ok((chat, run))
    }
}

impl FromRequestParts<Arc<State>> for ChatCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        let token = token::find(&parts.method, &parts.headers, &parts.uri, &state.core.origins);
        let peer = Peer::within(&parts.extensions);
        let principal = state.core.authenticate(token.as_ref(), peer.0).await;
        let principal = principal.map_err(Problem::from)?;
        state.core.carries(&parts.extensions, &principal).map_err(Problem::from)?;
        let holder = state.core.holder(&principal, peer.0);
        let store = state.memory.store.acting(holder);
        Ok(Self { principal, store, peer: peer.0, state: Arc::clone(state) })
    }
}
