//! Errors of questions and turns, and advice to the client.
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use quadrille_agents::{Code, Refused};
use quadrille_core::{BadIdempotencyKey, BadTopic};
use quadrille_edge::http::{BadBody, Problem};
use quadrille_identity::NotAllowed;

/// The delay after which a client is told to try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The reason why a request has no reply. The message is the `detail` of its problem document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error("send what the user says as \"message\", a text that is not empty")]
    Message,
    #[error("send the user as \"user_id\"")]
    NoUser,
    #[error("\"user_id\" cannot be used: {0}")]
    User(BadTopic),
    #[error("\"topic\" cannot be used: {0}")]
    Topic(BadTopic),
    #[error(transparent)]
    Key(#[from] BadIdempotencyKey),
    #[error("send a position back exactly as it was received")]
    Position,
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error("name an agent of the configuration, or none for the default one")]
    Agent,
    #[error("no turn has this id, or it ended too long ago, or it is not yours")]
    NoTurn,
    #[error("use a new key for another question")]
    KeyReused,
    #[error("try again after the time in Retry-After; with a key nothing is asked twice")]
    Busy,
    #[error(
        "wait for the reply to one of your questions, or try again after the time in Retry-After"
    )]
    Share,
    #[error("try again after the time in Retry-After")]
    Draining,
    #[error("the turn was cancelled before its reply was complete")]
    Cancelled,
    #[error("{}", advice(*.0))]
    Failed(Code),
}

impl Error {
    fn problem(&self) -> Problem {
        use StatusCode as S;
        let (status, kind, title) = match self {
            Self::Body(_) => (S::BAD_REQUEST, "/problems/bad-body", "the body cannot be used"),
            Self::Message => (S::BAD_REQUEST, "/problems/bad-message", "no question"),
            Self::NoUser | Self::User(_) => (S::BAD_REQUEST, "/problems/bad-user", "no user"),
            Self::Topic(_) => (S::BAD_REQUEST, "/problems/bad-topic", "not a topic"),
            Self::Key(_) => (S::BAD_REQUEST, "/problems/bad-key", "not a key"),
            Self::Position => (S::BAD_REQUEST, "/problems/bad-position", "not a position"),
            Self::NotAllowed(_) => {
                (S::FORBIDDEN, "/problems/not-allowed", "the token does not grant this")
            }
            Self::Agent => (S::NOT_FOUND, "/problems/no-agent", "there is no such agent"),
            Self::NoTurn => (S::NOT_FOUND, "/problems/no-turn", "there is no such turn"),
            Self::KeyReused => {
                (S::CONFLICT, "/problems/key-reused", "the key came with another question")
            }
            Self::Busy => (S::SERVICE_UNAVAILABLE, "/problems/busy", "too many questions wait"),
            Self::Share => (
                S::TOO_MANY_REQUESTS,
                "/problems/share-taken",
                "your share of the questions that may wait is taken",
            ),
            Self::Draining => {
                (S::SERVICE_UNAVAILABLE, "/problems/draining", "the server is shutting down")
            }
            Self::Cancelled => (S::CONFLICT, "/problems/turn-cancelled", "the turn was cancelled"),
            Self::Failed(code) => (status(*code), kind(*code), code.title()),
        };
        Problem::new(status, kind, title)
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::ConnectTimeout
        | Code::FirstTokenTimeout
        | Code::TokenTimeout
        | Code::TotalTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::QueueTimeout | Code::Interrupted | Code::NotStored | Code::Busy => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::NoAgent => StatusCode::NOT_FOUND,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unreachable
        | Code::Refused
        | Code::BrokenOff
        | Code::Upstream
        | Code::BadAnswer
        | Code::TooLong => StatusCode::BAD_GATEWAY,
    }
}

fn kind(code: Code) -> &'static str {
    match code {
        Code::Unreachable => "/problems/agent-unreachable",
        Code::Refused => "/problems/agent-refused",
        Code::BrokenOff => "/problems/agent-broken-off",
        Code::Upstream => "/problems/agent-failed",
        Code::BadAnswer => "/problems/agent-bad-answer",
        Code::TooLong => "/problems/agent-too-long",
        Code::ConnectTimeout => "/problems/agent-connect-timeout",
        Code::FirstTokenTimeout => "/problems/agent-first-token-timeout",
        Code::TokenTimeout => "/problems/agent-token-timeout",
        Code::TotalTimeout => "/problems/agent-total-timeout",
        Code::QueueTimeout => "/problems/queue-timeout",
        Code::Interrupted => "/problems/turn-interrupted",
        Code::NotStored => "/problems/not-stored",
        Code::NoAgent => "/problems/no-agent",
        Code::Busy => "/problems/busy",
        Code::Internal => "/problems/internal",
    }
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::QueueTimeout => "ask again after the time in Retry-After",
        Code::NotStored | Code::Interrupted => {
            "ask again, with a new key, after the time in Retry-After"
        }
        Code::TooLong => "ask for less",
        Code::Internal => "tell the operator, whose log has the cause",
        Code::Refused | Code::BadAnswer => {
            "tell the operator, whose log has the cause; asking again will not help"
        }
        _ => "ask again, with a new key; the operator's log has the cause",
    }
}

impl From<Error> for Problem {
    fn from(err: Error) -> Self {
        let problem = err.problem().detail(err.to_string());
        match err {
            Error::Body(err) => err.into(),
            Error::Busy
            | Error::Share
            | Error::Draining
            | Error::Failed(
                Code::QueueTimeout | Code::Interrupted | Code::NotStored | Code::Busy,
            ) => problem.retry_after(RETRY_AFTER),
            _ => problem,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<Refused> for Error {
    fn from(err: Refused) -> Self {
        match err {
            Refused::TopicFull | Refused::DeskFull | Refused::Topics(_) => Self::Busy,
            Refused::Share => Self::Share,
            Refused::NoAgent => Self::Agent,
            Refused::KeyReused => Self::KeyReused,
            Refused::Draining => Self::Draining,
        }
    }
}
