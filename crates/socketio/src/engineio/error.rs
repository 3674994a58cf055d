//! Refusals of requests, as clients of Engine.IO know them.
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

/// Refusal of a request. The numbers are those of the original server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    Transport,
    Session,
    Method,
    /// The session is at another request, or the body has no packets.
    Request,
    Version,
    TooLarge,
    /// Too many bytes are being received.
    Busy,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Transport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::Session => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::Method => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::Request => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::Version => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, 3, "Too much is being received"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
        };
        (status, Json(json!({"code": code, "message": message}))).into_response()
    }
}
