//! Refusals of requests, in the form that clients of rooms read: `error`, or `msg` where it is
//! about the token.
use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use quadrille_core::{BadTopic, Shortage};
use quadrille_edge::http::{BadBody, Problem, form::FormError};
use quadrille_identity::NotAuthenticated;
use quadrille_identity::{Denied, Exceeded};
use quadrille_store::{self as store, AddError, files::PutError};
use serde::Serialize;
use utoipa::ToSchema;

/// The message is sent to the client; causes are only logged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "Missing JWT in headers, cookies or query_string (send Authorization: Bearer TOKEN, the \
         cookie access_token, or ?jwt=TOKEN)"
    )]
    NoToken,
    #[error("Token has expired")]
    Expired,
    #[error("Only non-refresh tokens are allowed")]
    Renewal,
    #[error("{0}")]
    Token(Denied),
    #[error(
        "Missing CSRF token (a cookie signs in pages of server.origins only; send the token as Authorization: Bearer)"
    )]
    CsrfMissing,
    #[error(
        "Missing user_id (this server does not check tokens: send it in the query or in the body)"
    )]
    NoUser,
    #[error("The token names no user; get one with the claim `sub`")]
    NoUserClaim,
    #[error("user_id cannot be used: {0}")]
    User(BadTopic),
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("This address does not take this method")]
    Method,
    #[error("{0} must be a whole number")]
    Number(&'static str),
    #[error("{name} must be {expected}")]
    Field { name: &'static str, expected: &'static str },
    #[error("{0} is required")]
    Required(&'static str),
    #[error("No files provided")]
    NoFiles,
    #[error("Send title, is_pinned or both")]
    NoChange,
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error("Send application/json, application/x-www-form-urlencoded or multipart/form-data")]
    Media,
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("A file has at most {0} bytes")]
    FileTooLarge(u64),
    #[error("Conversation not found")]
    NoConversation,
    #[error("File not found")]
    NoFile,
    #[error("This link to a file has expired; ask for the message again, which has a new one")]
    LinkExpired,
    #[error("This link opens no file; take it as it was given")]
    BadLink,
    #[error("temp_id came with another message; take a new one")]
    KeyReused,
    #[error("{}", stored(.0))]
    Store(store::Error),
    #[error("{}", full(.0))]
    Full(Problem),
    #[error("The server is busy; try again later")]
    Busy,
    #[error("Internal error; the cause is in the log of the server")]
    Defect,
}

/// Body of a refusal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RoomsRefused)]
pub(super) enum RefusalBody {
    Error(String),
    /// The token is missing or not accepted.
    Msg(String),
}

/// Default of `Retry-After`.
const SOON: Duration = Duration::from_secs(5);

fn stored(err: &store::Error) -> Cow<'static, str> {
    match err {
        store::Error::Busy => "The database is busy; try again later".into(),
        store::Error::Full => "The storage is full; tell the operator".into(),
        store::Error::Unavailable => "The storage is unavailable; try again later".into(),
        store::Error::Internal(_) => {
            "Internal error of the storage; the cause is in the log of the server".into()
        }
    }
}

fn full(err: &Problem) -> &'static str {
    match StatusCode::from_u16(err.status) {
        Ok(StatusCode::TOO_MANY_REQUESTS) => "Too many connections; close some, or try again later",
        _ => "The server is full or shuts down; try again later",
    }
}

impl Error {
    fn status(&self) -> StatusCode {
        use StatusCode as S;
        match self {
            Self::NoToken | Self::Expired | Self::CsrfMissing | Self::NoUser => S::UNAUTHORIZED,
            Self::Token(Denied::Unavailable)
            | Self::Store(store::Error::Busy | store::Error::Unavailable)
            | Self::Body(BadBody::Busy(Shortage::Full | Shortage::Strangers))
            | Self::Busy => S::SERVICE_UNAVAILABLE,
            Self::Renewal | Self::Token(_) | Self::NoUserClaim => S::UNPROCESSABLE_ENTITY,
            Self::Exceeded(_) | Self::Body(BadBody::Busy(Shortage::Share)) => S::TOO_MANY_REQUESTS,
            Self::Method => S::METHOD_NOT_ALLOWED,
            Self::Body(BadBody::Media) | Self::Media => S::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BadBody::TooLarge(_))
            | Self::Form(FormError::TooLong(_) | FormError::TooMuch(_))
            | Self::FileTooLarge(_) => S::PAYLOAD_TOO_LARGE,
            Self::Body(BadBody::TooSlow) | Self::Form(FormError::TooSlow) => S::REQUEST_TIMEOUT,
            Self::User(_)
            | Self::Number(_)
            | Self::Field { .. }
            | Self::Required(_)
            | Self::NoFiles
            | Self::NoChange
            | Self::Body(_)
            | Self::Form(_) => S::BAD_REQUEST,
            Self::NoConversation | Self::NoFile => S::NOT_FOUND,
            Self::LinkExpired | Self::BadLink => S::FORBIDDEN,
            Self::KeyReused => S::CONFLICT,
            Self::Store(store::Error::Full) => S::INSUFFICIENT_STORAGE,
            Self::Full(err) => S::from_u16(err.status).unwrap_or(S::SERVICE_UNAVAILABLE),
            Self::Store(_) | Self::Defect => S::INTERNAL_SERVER_ERROR,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exceeded(err) => Some(err.retry_after),
            Self::Full(err) => err.retry_after,
            Self::Store(store::Error::Busy | store::Error::Unavailable)
            | Self::Busy
            | Self::Body(BadBody::Busy(_))
            | Self::Token(Denied::Unavailable) => Some(SOON),
            _ => None,
        }
    }

    fn is_about_identity(&self) -> bool {
        matches!(
            self,
            Self::NoToken
                | Self::Expired
                | Self::Renewal
                | Self::Token(_)
                | Self::CsrfMissing
                | Self::NoUser
                | Self::NoUserClaim
        )
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Store(err) = &self {
            tracing::error!(error = ?err, "the store did not do what a request needs");
        }
        let status = self.status();
        let told = if self.is_about_identity() { RefusalBody::Msg } else { RefusalBody::Error };
        let mut response = (status, Json(told(self.to_string()))).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Denied> for Error {
    fn from(err: Denied) -> Self {
        match err {
            Denied::Missing => Self::NoToken,
            Denied::Expired => Self::Expired,
            Denied::Renewal => Self::Renewal,
            err => Self::Token(err),
        }
    }
}

impl From<NotAuthenticated> for Error {
    fn from(err: NotAuthenticated) -> Self {
        match err {
            NotAuthenticated::Exceeded(err) => err.into(),
            NotAuthenticated::Denied(err) => err.into(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(err: store::Error) -> Self {
        Self::Store(err)
    }
}

impl From<AddError> for Error {
    fn from(err: AddError) -> Self {
        match err {
            AddError::NoConversation => Self::NoConversation,
            AddError::KeyReused => Self::KeyReused,
            AddError::Store(err) => err.into(),
        }
    }
}

impl From<PutError> for Error {
    fn from(err: PutError) -> Self {
        match err {
            PutError::TooLarge(limit) => Self::FileTooLarge(limit),
            PutError::Full => Self::Store(store::Error::Full),
            PutError::Unavailable | PutError::Storage(_) => Self::Store(store::Error::Unavailable),
            PutError::BrokenOff(err) => match err.downcast::<FormError>() {
                Ok(err) => Self::Form(*err),
                Err(err) => Self::Store(store::Error::Internal(err)),
            },
        }
    }
}

#[cfg(test)]
mod tests;
