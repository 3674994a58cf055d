//! Who asks, and whether they may.
use axum::{extract::FromRequestParts, http::request::Parts};
use quadrille_core::{
    Problem, Topic,
    auth::{Action, Authority, Principal, Token},
};

use super::{Doors, Error};

/// The client of a request, by its token.
#[derive(Debug)]
pub(super) struct Who {
    authority: Authority,
    pub(super) principal: Principal,
}

impl Who {
    pub(super) fn allow(&self, action: Action, topic: &Topic) -> Result<(), Error> {
        Ok(self.authority.allow(&self.principal, action, topic)?)
    }

    /// For what is not about one topic.
    pub(super) fn scope(&self, scope: &'static str) -> Result<(), Error> {
        if self.principal.has_scope(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
    }
}

impl FromRequestParts<Doors> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Problem> {
        let token = Token::find(&parts.headers, &parts.uri);
        let authority = doors.core.auth.clone();
        let principal = authority.identify(token.as_ref()).await?;
        Ok(Self { authority, principal })
    }
}
