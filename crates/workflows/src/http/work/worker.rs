//! The worker that holds a step.
use std::{sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_store::{Claim, SubmittedStep};
use uuid::Uuid;

use super::super::{caller::ChatCaller, error::Error};
use crate::state::State;

/// Base path of the endpoints for workers.
pub(super) const WORK: &str = "/api/v1/chat/work";

/// Scope that a worker's token needs.
pub(super) const SCOPE: &str = "work";

/// Header with the claim of the step.
const CLAIM: &str = "x-claim";

/// A worker, by its claim.
pub(in crate::http) struct Worker(Uuid);

impl Worker {
    /// Renews the claim for `lease`, and reports `percent`. Returns the claimed step.
    pub(super) async fn renew(
        &self,
        state: &State,
        step: &str,
        lease: Duration,
        percent: Option<u8>,
    ) -> Result<Claim, Error> {
        // An invalid id names no step.
        let step = Uuid::try_parse(step).map_err(|_| Error::NoClaim)?;
        let held = state.memory.store.renew_step(step, self.0, lease, percent).await?;
        held.ok_or(Error::NoClaim)
    }

    /// Looks up the outcome that the worker reported before under its claim.
    pub(super) async fn reported(
        &self,
        state: &State,
        step: &str,
    ) -> Result<Option<SubmittedStep>, Error> {
        let Ok(step) = Uuid::try_parse(step) else { return Ok(None) };
        Ok(state.memory.store.submitted_step(step, self.0).await?)
    }
}

impl FromRequestParts<Arc<State>> for Worker {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        ChatCaller::from_request_parts(parts, state).await?.require_scope(SCOPE)?;
        let claim = parts.headers.get(CLAIM);
        let claim = claim.and_then(|claim| Uuid::try_parse_ascii(claim.as_bytes()).ok());
        claim.map(Self).ok_or_else(|| {
            Error::Invalid(
                "send the `claim` that came with the step in the header X-Claim".to_owned(),
            )
        })
    }
}
