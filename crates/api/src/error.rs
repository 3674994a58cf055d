//! Refusals of requests, as problem documents.
use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use quadrille_core::{BadIdempotencyKey, BadTopic, TooManyTopics};
use quadrille_edge::http::{BadBody, Problem};
use quadrille_identity::{Exceeded, NotAllowed};

use super::limits::{KEY_RETENTION, MAX_LISTED, MAX_TOPICS};

/// Why a request is refused. The message is the `detail` of its problem document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Topic(#[from] BadTopic),
    #[error(
        "send a position back exactly as it was received: since=P, or since=P,P for two topics"
    )]
    Position,
    #[error("{name}: {expected}")]
    Parameter { name: &'static str, expected: &'static str },
    #[error("limit is a whole number from 1 to {}", MAX_LISTED)]
    Limit,
    #[error("percent-encode the address as UTF-8")]
    Encoding,
    #[error("name 1 to {} topics, each once: ?topic=one&topic=two", MAX_TOPICS)]
    Topics,
    #[error("{0}; send {{\"topic\":…,\"payload\":…}} with \"key\" if it may be sent twice")]
    Json(String),
    #[error(transparent)]
    Key(#[from] BadIdempotencyKey),
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error(
        "use a new key for another payload; a key is kept for {} s after its first use",
        KEY_RETENTION.as_secs()
    )]
    KeyReused,
    #[error("{}", advice(*.0))]
    TooManyTopics(TooManyTopics),
    #[error("try again after the time in Retry-After; with a key nothing is published twice")]
    Unavailable,
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("this needs a token with the scope {0}")]
    Scope(&'static str),
    #[error("a session is named by its id, as GET /api/v1/sessions lists it")]
    Session,
    #[error("GET /api/v1/sessions lists the sessions")]
    NoSession,
}

impl Error {
    fn problem(&self) -> Problem {
        use StatusCode as S;
        let (status, kind, title) = match self {
            Self::Topic(_) => (S::BAD_REQUEST, "/problems/bad-topic", "not a topic"),
            Self::Position => (S::BAD_REQUEST, "/problems/bad-position", "not a position"),
            Self::Parameter { .. } | Self::Limit | Self::Encoding => {
                (S::BAD_REQUEST, "/problems/bad-parameter", "a parameter cannot be used")
            }
            Self::Topics => (S::BAD_REQUEST, "/problems/bad-topics", "topics missing or repeated"),
            Self::Json(_) | Self::Body(_) => {
                (S::BAD_REQUEST, "/problems/bad-body", "the body cannot be used")
            }
            Self::Key(_) => (S::BAD_REQUEST, "/problems/bad-key", "not a key"),
            Self::KeyReused => {
                (S::CONFLICT, "/problems/key-reused", "the key came with another payload")
            }
            Self::TooManyTopics(TooManyTopics::Full) => {
                (S::SERVICE_UNAVAILABLE, "/problems/too-many-topics", "too many topics are in use")
            }
            Self::TooManyTopics(TooManyTopics::Share) => (
                S::TOO_MANY_REQUESTS,
                "/problems/too-many-topics",
                "this user follows too many topics",
            ),
            Self::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "/problems/unavailable",
                "the record could not be stored just now",
            ),
            Self::NotAllowed(_) | Self::Scope(_) => {
                (S::FORBIDDEN, "/problems/not-allowed", "the token does not grant this")
            }
            Self::Exceeded(err) => return (*err).into(),
            Self::Session => (S::BAD_REQUEST, "/problems/bad-session", "not a session"),
            Self::NoSession => (S::NOT_FOUND, "/problems/no-session", "no such session"),
        };
        Problem::new(status, kind, title)
    }
}

fn advice(err: TooManyTopics) -> &'static str {
    match err {
        TooManyTopics::Full => {
            "use a topic that exists, or try again after the time in Retry-After"
        }
        TooManyTopics::Share => "stop following some, or try again after the time in Retry-After",
    }
}

impl From<Error> for Problem {
    fn from(err: Error) -> Self {
        let problem = err.problem().detail(err.to_string());
        match err {
            Error::Body(err) => err.into(),
            Error::TooManyTopics(_) | Error::Unavailable => {
                problem.retry_after(Duration::from_secs(5))
            }
            _ => problem,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<TooManyTopics> for Error {
    fn from(err: TooManyTopics) -> Self {
        Self::TooManyTopics(err)
    }
}
