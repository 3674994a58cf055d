//! The idempotency key of a request that begins a run.
use axum::extract::FromRequestParts;
use http::{HeaderValue, request::Parts};
use quadrille_core::IdempotencyKey;
use quadrille_store::RunKey;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{caller::Caller, described, error::Error};

/// The key of a request, if it has one.
#[derive(Clone, Debug, Default)]
pub(super) struct Key(Option<IdempotencyKey>);

/// What the key is for.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    user: String,
    key: IdempotencyKey,
    request: String,
}

// === impl Key ===

impl Key {
    /// The key as `caller` uses it for a request of this digest.
    pub(super) fn of(self, caller: &Caller, request: impl FnOnce() -> String) -> Option<Keyed> {
        let user = caller.principal.user.as_deref().unwrap_or_default().to_owned();
        self.0.map(|key| Keyed { user, key, request: request() })
    }
}

impl Keyed {
    pub(super) fn stored(&self) -> RunKey<'_> {
        RunKey { user: &self.user, key: &self.key, request: &self.request }
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let values = parts.headers.get_all(IdempotencyKey::HEADER);
        let key = IdempotencyKey::from_header(values.iter().map(HeaderValue::as_bytes));
        key.map(Self).map_err(|_| {
            let max = IdempotencyKey::MAX;
            Error::Invalid(format!(
                "Idempotency-Key: send one key of 1 to {max} bytes without control characters"
            ))
        })
    }
}

impl IntoParams for Key {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![described::key(IdempotencyKey::MAX)]
    }
}
