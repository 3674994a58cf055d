//! Who sends a request, and what is open to them.
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_core::{
    auth::{Action, Principal, Token},
    ws::Peer,
};
use quadrille_store::{Chat, Run};

use super::error::Error;
use crate::door::Door;

/// The client of a request. Extracting it counts the request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    door: Arc<Door>,
}

impl Caller {
    /// A chat that is open to the caller. What is not theirs does not exist.
    pub(super) async fn chat(&self, id: &str, action: Action) -> Result<Chat, Error> {
        self.door.chat(id, action, &self.principal).await?.ok_or(Error::NoChat)
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
        let run = self.door.memory.store.run(run).await?;
        let run = run.filter(|it| it.chat_id == chat.id).ok_or(Error::NoRun)?;
        Ok((chat, run))
    }
}

impl FromRequestParts<Arc<Door>> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Error> {
        let token = Token::find(&parts.headers, &parts.uri);
        let peer = Peer::within(&parts.extensions);
        let principal = door.core.identify(token.as_ref(), peer.0).await?;
        Ok(Self { principal, door: Arc::clone(door) })
    }
}
