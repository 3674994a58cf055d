//! The client of a connection: its identity, its rights and its quota.
use std::{net::IpAddr, sync::Arc};

use quadrille_core::{EventKey, SessionInfo, Topic, published_key};
use quadrille_identity::NotRefreshed;
use quadrille_identity::{Action, NotAllowed, Payer, Principal, Rate, Token};
use tokio::time::Instant;

use crate::{error::Error, state::State};

#[derive(Debug)]
pub(crate) struct Identity {
    state: Arc<State>,
    principal: Principal,
    peer: IpAddr,
    payer: Payer,
}

impl Identity {
    pub(crate) fn new(state: Arc<State>, principal: Principal, peer: IpAddr) -> Self {
        let payer = Payer::new(principal.user.as_ref(), peer);
        Self { state, principal, peer, payer }
    }

    /// Charges one `rate` to the client.
    pub(crate) fn charge(&self, rate: Rate) -> Result<(), Error> {
        Ok(self.state.core.quotas.take(rate, &self.payer)?)
    }

    pub(crate) fn allow(&self, action: Action, topic: &Topic) -> Result<(), NotAllowed> {
        self.state.core.auth.allow(&self.principal, action, topic)
    }

    /// Key of a publication of this client about `message`: it belongs to the user, or to the
    /// session of a client without one.
    pub(crate) fn key(&self, session: &SessionInfo, kind: &str, message: &str) -> EventKey {
        match &self.principal.user {
            Some(user) => published_key(&format!("user {user}"), kind, message),
            None => published_key(&format!("session {}", session.id), kind, message),
        }
    }

    pub(crate) fn expires(&self) -> Option<Instant> {
        self.principal.expires
    }

    /// Authenticates this client by a new token. The result is for [`Self::apply`].
    pub(crate) fn refresh(
        &self,
        token: Token,
    ) -> impl Future<Output = Result<Principal, NotRefreshed>> + Send + use<> {
        let (state, before, peer) = (Arc::clone(&self.state), self.principal.clone(), self.peer);
        async move { state.core.refresh(&token, &before, peer).await }
    }

    /// Continues as `principal`. Gives the seconds until it expires.
    pub(crate) fn apply(&mut self, principal: Principal) -> Option<u64> {
        self.principal = principal;
        self.principal.expires_in()
    }
}
