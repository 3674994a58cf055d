//! The client of a request or a connection, as core and identity know it.
use std::{net::IpAddr, sync::Arc};

use http::Extensions;
use quadrille_core::{Holder, NotAdmitted};
use quadrille_identity::{
    Mode, NotAuthenticated, NotRefreshed, Principal, Rate, Token, authenticate, refresh,
};

use crate::{
    Core,
    http::{Carrier, Peer},
};

impl Core {
    /// The client that `principal` at `peer` counts for in every shared [`Pool`](quadrille_core::Pool).
    pub fn holder(&self, principal: &Principal, peer: IpAddr) -> Holder {
        match &principal.user {
            Some(user) => Holder::user(user),
            None if self.auth.mode() == Mode::Open => Holder::guest(peer),
            // Every token expires, so this client is a guest without one.
            None if principal.expires.is_none() => Holder::stranger(peer),
            None => Holder::Program,
        }
    }

    /// [`Self::holder`], or the user that a program acts for. In open mode a claimed user counts
    /// for nothing.
    pub fn holder_for(
        &self,
        principal: &Principal,
        acting: Option<&Arc<str>>,
        peer: IpAddr,
    ) -> Holder {
        match (self.holder(principal, peer), acting) {
            (Holder::Program, Some(user)) => Holder::user(user),
            (holder, _) => holder,
        }
    }

    /// The client that a connection from `peer` counts for before it has shown a token.
    pub fn newcomer(&self, peer: IpAddr) -> Holder {
        self.auth.mode().newcomer(peer)
    }

    /// Counts the connection that carried a request with these `extensions` for `principal`.
    pub fn carries(
        &self,
        extensions: &Extensions,
        principal: &Principal,
    ) -> Result<(), NotAdmitted> {
        let holder = self.holder(principal, Peer::within(extensions).0);
        Ok(Carrier::identified(extensions, &holder)?)
    }

    /// [Authenticates](authenticate) the client of a request, and charges it for the request.
    pub async fn authenticate(
        &self,
        token: Option<&Token>,
        peer: IpAddr,
    ) -> Result<Principal, NotAuthenticated> {
        authenticate(&self.auth, &self.quotas, token, peer, Some(Rate::Requests)).await
    }

    /// [Authenticates](refresh) the client of a connection by a new token, free of charge.
    pub async fn refresh(
        &self,
        token: &Token,
        before: &Principal,
        peer: IpAddr,
    ) -> Result<Principal, NotRefreshed> {
        refresh(&self.auth, &self.quotas, token, before, peer).await
    }
}
