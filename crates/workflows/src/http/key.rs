//! The idempotency key of a request that begins a run.
use axum::extract::FromRequestParts;
use http::request::Parts;
use quadrille_store::RunKey;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{caller::Caller, described, error::Error};

/// The header.
const NAME: &str = "idempotency-key";

/// Bytes of a key, at most.
const MAX_KEY: usize = 255;

/// The key of a request, if it has one.
#[derive(Clone, Debug, Default)]
pub(super) struct Key(Option<String>);

/// What the key is for.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    user: String,
    key: String,
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

    /// As text, or as a structured string (RFC 9651, 3.3.3).
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let mut all = parts.headers.get_all(NAME).iter();
        let Some(value) = all.next() else { return Ok(Self(None)) };
        let text = value.to_str().ok().filter(|_| all.next().is_none()).ok_or_else(wrong)?.trim();
        let quoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let key = quoted.unwrap_or(text);
        let good = (1..=MAX_KEY).contains(&key.len()) && !key.chars().any(char::is_control);
        if good { Ok(Self(Some(key.to_owned()))) } else { Err(wrong()) }
    }
}

fn wrong() -> Error {
    Error::Invalid(format!(
        "Idempotency-Key: send one key of 1 to {MAX_KEY} bytes without control characters"
    ))
}

impl IntoParams for Key {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![described::key(MAX_KEY)]
    }
}
