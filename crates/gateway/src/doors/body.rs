//! A JSON body, read within bounds of size and time.
use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use quadrille_core::json;

use super::Error;

/// Bytes of one body.
pub(super) const LIMIT: usize = 1 << 20;

/// How long a body may take to arrive.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The text of a body that says it is JSON, and is not nested too deep.
#[derive(Debug)]
pub(super) struct Json(pub(super) String);

impl<S: Sync> FromRequest<S> for Json {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            return Err(Error::Media);
        }
        let body = request.into_body();
        if body.size_hint().lower() > LIMIT as u64 {
            return Err(Error::TooLarge);
        }
        let whole = tokio::time::timeout(PATIENCE, Limited::new(body, LIMIT).collect()).await;
        let whole = whole.map_err(|_| Error::TooSlow)?.map_err(|why| {
            if why.is::<LengthLimitError>() { Error::TooLarge } else { Error::BrokenOff }
        })?;
        let text = String::from_utf8(whole.to_bytes().into());
        let text = text.map_err(|_| Error::Json("the body is not UTF-8".to_owned()))?;
        if json::is_deep(&text) {
            return Err(Error::Deep);
        }
        Ok(Self(text))
    }
}

/// Other types are what pages from elsewhere may send without being asked for their origin first.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return false };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json") && !headers.contains_key(CONTENT_ENCODING)
}
