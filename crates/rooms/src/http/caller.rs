//! The client of a request to rooms.
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_core::user_topic;
use quadrille_edge::http::Peer;
use quadrille_identity::{Action, Payer, Principal, Rate};
use quadrille_store::{Conversation, Store};

use super::{error::Error, params::Params, token::RequestToken};
use crate::state::State;

/// The client of a request. Extracting it counts the request.
#[derive(Clone, Debug)]
pub(super) struct RoomsCaller {
    pub(super) principal: Principal,
    pub(super) peer: Peer,
    state: Arc<State>,
    payer: Payer,
    /// The user that the query claims.
    claimed: Option<String>,
}

impl RoomsCaller {
    /// The user that acts; none for a program whose token names none. In open mode, the one that
    /// the query or else the body claims.
    pub(super) fn acting(&self, claimed: Option<&str>) -> Result<Option<Arc<str>>, Error> {
        if self.principal.user.is_some() || !self.state.is_open() {
            return Ok(self.principal.user.clone());
        }
        let claimed = self.claimed.as_deref().or(claimed).ok_or(Error::NoUser)?;
        user_topic(claimed).map_err(Error::User)?;
        Ok(Some(claimed.into()))
    }

    pub(super) fn user(&self, claimed: Option<&str>) -> Result<Arc<str>, Error> {
        self.acting(claimed)?.ok_or(Error::NoUserClaim)
    }

    /// A conversation that the caller may use for `action`. Others do not exist for it.
    pub(super) async fn conversation(
        &self,
        id: i64,
        action: Action,
        user: Option<&str>,
    ) -> Result<Conversation, Error> {
        let found = self.state.conversation(id, action, &self.principal, user).await?;
        found.ok_or(Error::NoConversation)
    }

    /// The store, as the caller may use it.
    pub(super) fn store(&self) -> Store {
        let core = &self.state.core;
        self.state.storage.store.acting(core.holder(&self.principal, self.peer.0))
    }

    /// Counts a publication.
    pub(super) fn count_publication(&self) -> Result<(), Error> {
        Ok(self.state.core.quotas.take(Rate::Publishes, &self.payer)?)
    }
}

impl FromRequestParts<Arc<State>> for RoomsCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        let core = &state.core;
        let peer = Peer::within(&parts.extensions);
        let found = RequestToken::of(&parts.headers, &parts.uri);
        let token = found.as_ref().map(|found| &found.token);
        let principal = core.authenticate(token, peer.0).await?;
        let payer = Payer::new(principal.user.as_ref(), peer.0);
        if found.is_some_and(|token| !token.is_meant(&parts.method, &parts.headers, &core.origins))
        {
            return Err(Error::CsrfMissing);
        }
        core.carries(&parts.extensions, &principal).map_err(|err| Error::Full(err.into()))?;
        let claimed = Params::of(&parts.uri).text("user_id").map(str::to_owned);
        Ok(Self { principal, peer, state: Arc::clone(state), payer, claimed })
    }
}
