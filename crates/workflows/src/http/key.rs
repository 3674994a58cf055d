//! Idempotency keys of requests that start runs.
use axum::extract::FromRequestParts;
use http::{HeaderValue, request::Parts};
use quadrille_core::IdempotencyKey;
use quadrille_store::RunKey;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{caller::ChatCaller, described, error::Error};

/// The header `Idempotency-Key`, which is optional.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyHeader(Option<IdempotencyKey>);

/// An idempotency key, with its user and the digest of the request.
#[derive(Clone, Debug)]
pub(super) struct RequestKey {
    user: String,
    key: IdempotencyKey,
    request: String,
}

// === impl KeyHeader ===

impl KeyHeader {
    /// Binds the key to `caller` and to the digest of the request.
    pub(super) fn of(
        self,
        caller: &ChatCaller,
        request: impl FnOnce() -> String,
    ) -> Option<RequestKey> {
        let user = caller.principal.user.as_deref().unwrap_or_default().to_owned();
        self.0.map(|key| RequestKey { user, key, request: request() })
    }
}

impl RequestKey {
    pub(super) fn stored(&self) -> RunKey<'_> {
        RunKey { user: &self.user, key: &self.key, request: &self.request }
    }
}

impl<S: Sync> FromRequestParts<S> for KeyHeader {
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

impl IntoParams for KeyHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![described::key(IdempotencyKey::MAX)]
    }
}
