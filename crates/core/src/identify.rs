//! Who sends a request, and whether there is room for it.
use std::net::IpAddr;

use crate::{
    Core, Exceeded, Payer, Problem, Quotas, Rate,
    auth::{Denied, Principal, Token},
};

impl Core {
    /// Who it is at `peer` that shows `token`. Counts the request: as the user's, or as the
    /// address's if there is none, also because the token is not accepted.
    pub async fn identify(
        &self,
        token: Option<&Token>,
        peer: IpAddr,
    ) -> Result<Principal, Problem> {
        if token.is_some() {
            self.quotas.may_show_token(peer)?;
        }
        let known = self.auth.identify(token).await;
        let user = known.as_ref().ok().and_then(|who| who.user.as_ref());
        self.quotas.take(Rate::Requests, &Payer::new(user, peer))?;
        Ok(known.inspect_err(|why| self.quotas.token_refused(peer, *why))?)
    }
}

impl Quotas {
    /// Whether a token from `peer` may be looked at. To be asked before: what is refused here costs
    /// no signature.
    pub fn may_show_token(&self, peer: IpAddr) -> Result<(), Exceeded> {
        self.look(Rate::BadTokens, &peer.into())
    }

    /// A token from `peer` was not accepted. Only a forged one is held against the address: that
    /// tokens end and keys change is everyday, and happens to all clients of an address at once.
    pub fn token_refused(&self, peer: IpAddr, why: Denied) {
        if why.is_forged() {
            // Others may have used it up since it was asked; the next one is refused.
            self.take(Rate::BadTokens, &peer.into()).ok();
        }
    }
}
