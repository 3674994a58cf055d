//! Who sends a request or goes on with a connection, and whether there is room for it.
use std::{net::IpAddr, sync::Arc};

use http::Extensions;
use quadrille_core::{Holder, Refused};
use quadrille_identity::{Denied, Exceeded, Mode, Payer, Principal, Rate, Token};

use crate::{
    Core,
    http::{Carrier, Peer, Problem},
};

/// Why a connection does not go on with a new token; everything stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRefreshed {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the token is of another user; open another connection for it")]
    AnotherUser,
}

impl Core {
    /// The client that `who` at `peer` counts as in every shared [`Pool`](quadrille_core::Pool).
    pub fn holder(&self, who: &Principal, peer: IpAddr) -> Holder {
        match &who.user {
            Some(user) => Holder::user(user),
            None if self.auth.mode() == Mode::Open => Holder::guest(peer),
            // Every token ends; whoever came without one is let in as a guest.
            None if who.expires.is_none() => Holder::stranger(peer),
            None => Holder::Program,
        }
    }

    /// [`Self::holder`], or the user that a program acts for. Where nobody signs in, a claimed user
    /// counts for nothing.
    pub fn holder_for(&self, who: &Principal, acting: Option<&Arc<str>>, peer: IpAddr) -> Holder {
        match (self.holder(who, peer), acting) {
            (Holder::Program, Some(user)) => Holder::user(user),
            (holder, _) => holder,
        }
    }

    /// The client that a connection from `peer` counts as before it has shown a token.
    pub fn newcomer(&self, peer: IpAddr) -> Holder {
        self.auth.mode().newcomer(peer)
    }

    /// Counts the connection that a request with these `extensions` came on as that of `who`.
    pub fn carries(&self, extensions: &Extensions, who: &Principal) -> Result<(), Refused> {
        let holder = self.holder(who, Peer::within(extensions).0);
        Ok(Carrier::identified(extensions, &holder)?)
    }

    /// Who it is at `peer` that shows `token`. Counts the request: as the user's, or as the
    /// address's if there is none, also because the token is not accepted.
    pub async fn identify(
        &self,
        token: Option<&Token>,
        peer: IpAddr,
    ) -> Result<Principal, Problem> {
        let blamed = token.map_or_else(|| peer.into(), |it| it.blamed(peer));
        if token.is_some() {
            self.quotas.may_show_token(&blamed)?;
        }
        let known = self.auth.identify(token).await;
        let user = known.as_ref().ok().and_then(|who| who.user.as_ref());
        self.quotas.take(Rate::Requests, &Payer::new(user, peer))?;
        Ok(known.inspect_err(|why| self.quotas.token_refused(&blamed, *why))?)
    }

    /// Who `before`, at `peer`, is with a new token. A connection stays with its user: others see
    /// it as theirs.
    pub async fn refresh(
        &self,
        token: &Token,
        before: &Principal,
        peer: IpAddr,
    ) -> Result<Principal, NotRefreshed> {
        let blamed = token.blamed(peer);
        self.quotas.may_show_token(&blamed)?;
        let known = self.auth.identify(Some(token)).await;
        let who = known.inspect_err(|why| self.quotas.token_refused(&blamed, *why))?;
        if who.user == before.user { Ok(who) } else { Err(NotRefreshed::AnotherUser) }
    }
}
