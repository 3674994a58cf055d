//! Errors as they leave over HTTP: RFC 9457 problem documents.
use std::{borrow::Cow, time::Duration};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{NotAuthenticated, telemetry};

/// An RFC 9457 problem document. Never holds a cause: causes are logged, once, where they happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable, for programs: `/problems/origin`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// For people: what is wrong.
    pub title: Cow<'static, str>,
    pub status: u16,
    /// For people: what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub const fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            title: Cow::Borrowed(title),
            status: status.as_u16(),
            detail: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<NotAuthenticated> for Problem {
    fn from(err: NotAuthenticated) -> Self {
        match err {
            NotAuthenticated::Exceeded(err) => err.into(),
            NotAuthenticated::Denied(err) => err.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        telemetry::http_refused(self.kind.clone());
        let body = serde_json::to_vec(&self).expect("a problem is plain text and numbers");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED.as_u16() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
