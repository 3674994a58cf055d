//! JSON bodies.
use axum::extract::Request;
use quadrille_edge::http::{BadBody, JsonBody};
use serde::de::DeserializeOwned;

use super::error::Error;

/// Upper bound on a JSON body, in bytes.
const MAX_BODY: usize = 1_000_000;

/// Reads the body of a request, a JSON object.
pub(super) async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let body = JsonBody::read(request, MAX_BODY).await?.whole();
    body.parse().map_err(|err| match err {
        BadBody::Json(message) => Error::Invalid(message),
        err => err.into(),
    })
}
