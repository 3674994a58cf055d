//! Authentication of requests and connections, and what pays for it.
use std::{net::IpAddr, sync::Arc};

use http::Extensions;

use crate::{
    Carrier, Core, Exceeded, Holder, Payer, Quotas, Rate, Refused,
    auth::{Authority, Denied, Mode, Principal, Token},
    ws::Peer,
};

/// A client was not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A connection does not continue with a new token; everything stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRefreshed {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the token is of another user; open another connection for it")]
    AnotherUser,
}

impl From<NotAuthenticated> for NotRefreshed {
    fn from(err: NotAuthenticated) -> Self {
        match err {
            NotAuthenticated::Exceeded(err) => Self::Exceeded(err),
            NotAuthenticated::Denied(err) => Self::Denied(err),
        }
    }
}

/// Authenticates the client at `peer`, and charges `rate`, if any, to its user, or to its address if
/// the token is missing or rejected. A forged token is charged to where it came from, too; while that
/// has shown too many of them, none is checked.
pub async fn authenticate(
    authority: &Authority,
    quotas: &Quotas,
    token: Option<&Token>,
    peer: IpAddr,
    rate: Option<Rate>,
) -> Result<Principal, NotAuthenticated> {
    let blamed = token.map_or_else(|| peer.into(), |token| token.blamed(peer));
    if token.is_some() {
        quotas.may_show_token(&blamed)?;
    }
    let known = authority.identify(token).await;
    if let Some(rate) = rate {
        let user = known.as_ref().ok().and_then(|principal| principal.user.as_ref());
        quotas.take(rate, &Payer::new(user, peer))?;
    }
    Ok(known.inspect_err(|err| quotas.token_refused(&blamed, *err))?)
}

/// Authenticates the client `before` at `peer` once more, by a new token. A connection stays with its
/// user, as others have been told that it is theirs.
pub async fn refresh(
    authority: &Authority,
    quotas: &Quotas,
    token: &Token,
    before: &Principal,
    peer: IpAddr,
) -> Result<Principal, NotRefreshed> {
    let principal = authenticate(authority, quotas, Some(token), peer, None).await?;
    if principal.user == before.user { Ok(principal) } else { Err(NotRefreshed::AnotherUser) }
}

impl Core {
    /// The client that `who` at `peer` counts for in every shared [`Pool`](crate::Pool).
    pub fn holder(&self, who: &Principal, peer: IpAddr) -> Holder {
        match &who.user {
            Some(user) => Holder::user(user),
            None if self.auth.mode() == Mode::Open => Holder::guest(peer),
            // Every token expires, so this client is a guest without one.
            None if who.expires.is_none() => Holder::stranger(peer),
            None => Holder::Program,
        }
    }

    /// [`Self::holder`], or the user that a program acts for. In open mode a claimed user counts for
    /// nothing.
    pub fn holder_for(&self, who: &Principal, acting: Option<&Arc<str>>, peer: IpAddr) -> Holder {
        match (self.holder(who, peer), acting) {
            (Holder::Program, Some(user)) => Holder::user(user),
            (holder, _) => holder,
        }
    }

    /// The client that a connection from `peer` counts for before it has shown a token.
    pub fn newcomer(&self, peer: IpAddr) -> Holder {
        self.auth.mode().newcomer(peer)
    }

    /// Counts the connection that carried a request with these `extensions` for `who`.
    pub fn carries(&self, extensions: &Extensions, who: &Principal) -> Result<(), Refused> {
        let holder = self.holder(who, Peer::within(extensions).0);
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

impl Quotas {
    /// Checks that `payer` has not shown too many forged tokens. Asked before a token is verified, so
    /// that a refusal costs no signature.
    pub fn may_show_token(&self, payer: &Payer) -> Result<(), Exceeded> {
        self.look(Rate::BadTokens, payer)
    }

    /// Charges a rejected token to `payer` if it is forged. Others are free: tokens expire and keys
    /// change every day, for all clients of an address at once.
    pub fn token_refused(&self, payer: &Payer, err: Denied) {
        if err.is_forged() {
            // Fails if others have used up the rate meanwhile; the next token is refused.
            self.take(Rate::BadTokens, payer).ok();
        }
    }
}
