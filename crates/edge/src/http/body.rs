//! A JSON body, read within bounds of size and time.
use std::{sync::OnceLock, time::Duration};

use axum_core::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use quadrille_core::{
    HeldBytes, Shortage,
    json::{self, Object},
};
use serde::Deserialize;

use crate::http::{Carrier, Problem};

/// Upper bound on the time that a body takes to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Value of `Retry-After` if too much is sent at once.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The text of a JSON body, within the bound on nesting.
#[derive(Debug)]
pub struct JsonBody {
    text: String,
    /// The same without halves of surrogate pairs, if that was needed to read it.
    copy: OnceLock<String>,
    /// The bytes count until the body is dropped.
    counted: Option<HeldBytes>,
}

/// Why a body cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    #[error("send `Content-Type: application/json`, without a content encoding")]
    Media,
    #[error("send at most {0} bytes")]
    TooLarge(usize),
    #[error("send the whole body within {} s", READ_TIMEOUT.as_secs())]
    TooSlow,
    #[error("the body ended early; send all of it")]
    BrokenOff,
    #[error("{0}; try again after the time in Retry-After")]
    Busy(Shortage),
    #[error("send UTF-8")]
    Encoding,
    #[error("nest at most {} levels", json::DEPTH)]
    Deep,
    /// Not JSON, or not the expected members; the text is serde's, and says where.
    #[error("{0}")]
    Json(String),
}

impl JsonBody {
    /// Reads the body of `request`, of at most `limit` bytes.
    pub async fn read(request: Request, limit: usize) -> Result<Self, BadBody> {
        if !is_json(request.headers()) {
            return Err(BadBody::Media);
        }
        let (whole, counted) = whole(request, limit).await?;
        let mut text = String::from_utf8(whole).map_err(|_| BadBody::Encoding)?;
        // A byte order mark, which some programs on Windows begin with.
        if text.starts_with(json::MARK) {
            text.drain(..json::MARK.len_utf8());
        }
        if json::is_deep(&text) { Err(BadBody::Deep) } else { Ok(Self::new(text, counted)) }
    }

    fn new(text: String, counted: Option<HeldBytes>) -> Self {
        Self { text, copy: OnceLock::new(), counted }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces halves of surrogate pairs, for callers that read all of the text later.
    #[must_use]
    pub fn whole(self) -> Self {
        match json::without_halves(&self.text) {
            Some(text) => Self::new(text, self.counted),
            None => self,
        }
    }

    /// Parses the text, which has to be an object.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, BadBody> {
        let parsed: Result<Object<T>, _> = json::read_in(&self.text, &self.copy);
        parsed.map(|Object(value)| value).map_err(|err| BadBody::Json(err.to_string()))
    }
}

/// Reads the bytes of a body, of at most `limit`. They count in the pool `input` for as long as the
/// second value is there.
pub async fn whole(
    request: Request,
    limit: usize,
) -> Result<(Vec<u8>, Option<HeldBytes>), BadBody> {
    let counted = Carrier::body(request.extensions());
    let (mut input_bytes, holder) =
        counted.map_or((None, None), |(input_bytes, holder)| (Some(input_bytes), Some(holder)));
    let body = request.into_body();
    if body.size_hint().lower() > limit as u64 {
        return Err(BadBody::TooLarge(limit));
    }
    let mut body = Limited::new(body, limit);
    let read = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|err| {
                if err.is::<LengthLimitError>() {
                    BadBody::TooLarge(limit)
                } else {
                    BadBody::BrokenOff
                }
            })?;
            let Ok(data) = frame.into_data() else { continue };
            bytes.extend_from_slice(&data);
            if let (Some(input_bytes), Some(holder)) = (&mut input_bytes, &holder) {
                input_bytes.hold(bytes.capacity(), || holder.clone()).map_err(BadBody::Busy)?;
            }
        }
        Ok(bytes)
    };
    let bytes = tokio::time::timeout(READ_TIMEOUT, read).await.map_err(|_| BadBody::TooSlow)??;
    Ok((bytes, input_bytes))
}

/// Other types may be sent by foreign pages without a preflight request.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return false };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json") && !headers.contains_key(CONTENT_ENCODING)
}

impl From<BadBody> for Problem {
    fn from(err: BadBody) -> Self {
        let (status, kind, title) = match &err {
            BadBody::Media => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "/problems/media-type", "the body is not JSON")
            }
            BadBody::TooLarge(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "/problems/body-too-large", "the body is too large")
            }
            BadBody::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "/problems/body-too-slow", "the body took too long")
            }
            BadBody::Busy(Shortage::Share) => {
                (StatusCode::TOO_MANY_REQUESTS, "/problems/busy", "too much is being sent at once")
            }
            BadBody::Busy(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/busy",
                "too much is being sent at once",
            ),
            BadBody::BrokenOff | BadBody::Encoding | BadBody::Deep | BadBody::Json(_) => {
                (StatusCode::BAD_REQUEST, "/problems/bad-body", "the body cannot be used")
            }
        };
        let problem = Self::new(status, kind, title).detail(err.to_string());
        if matches!(err, BadBody::Busy(_)) { problem.retry_after(RETRY_AFTER) } else { problem }
    }
}

impl IntoResponse for BadBody {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
