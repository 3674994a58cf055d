//! The client of a request, and its permissions.
use std::sync::Arc;

use axum_core::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use quadrille_core::{Holder, Topic};
use quadrille_identity::{Action, Exceeded, NotAllowed, Payer, Principal, Rate};

use crate::{
    Core,
    http::{Peer, Problem, token},
};

/// The client of a request, by its token. Extracting it counts the request.
#[derive(Debug)]
pub struct Caller {
    core: Core,
    pub principal: Principal,
    pub peer: Peer,
    payer: Payer,
}

impl Caller {
    pub fn allow(&self, action: Action, topic: &Topic) -> Result<(), NotAllowed> {
        self.core.auth.allow(&self.principal, action, topic)
    }

    /// Whether the token has `scope`, for what is not about one topic.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.principal.has_scope(scope)
    }

    /// The client that counts in shared pools: the user `acting`, or the caller.
    pub fn holder(&self, acting: Option<&Arc<str>>) -> Holder {
        self.core.holder_for(&self.principal, acting, self.peer.0)
    }

    /// Charges one action besides the request itself.
    pub fn count(&self, rate: Rate) -> Result<(), Exceeded> {
        self.core.quotas.take(rate, &self.payer)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Core: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let peer = Peer::within(&parts.extensions);
        let core = Core::from_ref(state);
        let token = token::find(&parts.method, &parts.headers, &parts.uri, &core.origins);
        let principal = core.authenticate(token.as_ref(), peer.0).await?;
        core.carries(&parts.extensions, &principal)?;
        let payer = Payer::new(principal.user.as_ref(), peer.0);
        Ok(Self { core, principal, peer, payer })
    }
}
