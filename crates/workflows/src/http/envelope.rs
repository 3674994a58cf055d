//! The JSON object around every answer.
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::wire;

/// An answer. As in the original, the status in the body may differ from that of the response.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) status: StatusCode,
    pub(super) body_status: u16,
    pub(super) message: String,
    pub(super) data: Value,
    pub(super) total: usize,
}

/// Body of every answer, also of refusals.
#[derive(Serialize, ToSchema)]
#[schema(as = Answer)]
pub(super) struct EnvelopeBody {
    /// Data of the answer; of a refusal, an object with `error_type` and `details`.
    data: Value,
    /// Text for people: the outcome, or the reason of a refusal.
    message: String,
    #[schema(inline)]
    meta: Meta,
    /// Status of the response, unless the endpoint says otherwise.
    status_code: u16,
    /// Number of items; 0 in a refusal.
    total: usize,
}

#[derive(Serialize, ToSchema)]
struct Meta {
    api_version: &'static str,
    locale: &'static str,
    request_id: String,
    requested_time: String,
}

/// Makes an answer with status 200.
pub(super) fn ok(message: impl Into<String>, data: Value) -> Envelope {
    let message = message.into();
    Envelope { status: StatusCode::OK, body_status: 200, message, data, total: 1 }
}

impl Envelope {
    #[must_use]
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    #[must_use]
    pub(super) fn total(self, total: usize) -> Self {
        Self { total, ..self }
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        let Self { status, body_status, message, data, total } = self;
        let meta = Meta {
            api_version: "v0.0.1",
            locale: "en_US",
            request_id: Uuid::now_v7().simple().to_string(),
            requested_time: wire::now(),
        };
        (status, Json(EnvelopeBody { data, message, meta, status_code: body_status, total }))
            .into_response()
    }
}
