//! Refusals of requests, in the envelope.
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use quadrille_agents::{Code, Refused};
use quadrille_core::Shortage;
use quadrille_edge::http::{BadBody, Problem, form::FormError};
use quadrille_store::{self as store, ChatFile, FileError, RunError, files::PutError};
use serde_json::json;

use super::envelope::Envelope;
use crate::{
    archive::BadArchive,
    engine::{FetchError, is_full},
    wire,
};

/// The message is shown to the client; causes are only logged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{}{}", .0.title, .0.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Problem(Problem),
    #[error("The path is not valid UTF-8")]
    Address,
    #[error("This path does not allow this method")]
    Method,
    #[error("The token has no user; use one with `sub`")]
    Nobody,
    #[error("Conversation not found")]
    NoChat,
    #[error("File not found")]
    NoFile,
    #[error("Job not found")]
    NoRun,
    #[error("This claim is no longer valid; stop working on the step")]
    NoClaim,
    #[error("This needs a token with the scope {0}")]
    Scope(&'static str),
    #[error("This chat_id needs a token that may write to its topic; leave chat_id out")]
    Named,
    #[error("{0}")]
    Invalid(String),
    /// The uploaded file cannot be used.
    #[error("{0}")]
    BadFile(String),
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("A file has at most {0} bytes")]
    FileTooLarge(u64),
    #[error(transparent)]
    Archive(BadArchive),
    #[error("The database has its own tools for backups; use pg_dump")]
    NoBackup,
    #[error(
        "The results of the steps of this run take more than {} bytes together; bring this one as a \
         file",
        wire::MAX_RESULTS
    )]
    TooMuch,
    #[error("Workflow execution failed: {0}")]
    Run(String),
    #[error("A chat has at most {} files; make another chat for this one", ChatFile::MAX)]
    ManyFiles,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("The server is stopping; send the request again in a few seconds")]
    Stopping,
    /// Sent to a client that waits for a run.
    #[error(
        "The server is stopping; the run {0} resumes after the restart: get it then, and do not send \
         it again without its Idempotency-Key"
    )]
    GoesOn(String),
    #[error("The Idempotency-Key was used for another request; use a new one")]
    KeyReused,
    #[error("This step was finished with another result")]
    OtherResult,
    #[error("Too many runs are waiting; try again later")]
    Full,
    #[error("Too many requests of this kind are in progress; try again later")]
    NoPlace,
    #[error("You have reached your share of requests of this kind; try again when one is done")]
    Enough,
    #[error(
        "You have reached your share of waiting runs; try again when one is done, or cancel one"
    )]
    EnoughRuns,
    #[error("You have reached your share of waiting questions; try again after a reply")]
    EnoughQuestions,
    #[error("Too many questions are waiting; try again later")]
    AgentBusy,
    #[error("The agent did not answer: {}", .0.title())]
    Agent(Code),
    #[error("The database is busy; try again later")]
    Busy,
    #[error("The storage is unavailable; try again later")]
    Unavailable,
    #[error("The disk is full; tell the operator")]
    DiskFull,
    #[error("Internal error; the log of the server has the cause")]
    Server,
}

/// Delay that clients are asked to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Error {
    /// Status of the response, and the one in its body.
    fn status(&self) -> (StatusCode, u16) {
        use StatusCode as S;
        let status = match self {
            Self::Problem(problem) => {
                S::from_u16(problem.status).unwrap_or(S::INTERNAL_SERVER_ERROR)
            }
            Self::Method => S::METHOD_NOT_ALLOWED,
            Self::NoChat | Self::NoFile | Self::NoRun => S::NOT_FOUND,
            Self::Body(BadBody::Media) => S::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BadBody::TooLarge(_))
            | Self::Form(FormError::TooLong(_) | FormError::TooMuch(_))
            | Self::FileTooLarge(_)
            | Self::TooMuch
            | Self::Archive(BadArchive::TooLarge(_)) => S::PAYLOAD_TOO_LARGE,
            Self::Enough
            | Self::EnoughRuns
            | Self::EnoughQuestions
            | Self::Body(BadBody::Busy(Shortage::Share)) => S::TOO_MANY_REQUESTS,
            Self::Stopping
            | Self::GoesOn(_)
            | Self::Full
            | Self::NoPlace
            | Self::AgentBusy
            | Self::Busy
            | Self::Unavailable
            | Self::Body(BadBody::Busy(_)) => S::SERVICE_UNAVAILABLE,
            Self::Body(BadBody::TooSlow) | Self::Form(FormError::TooSlow) => S::REQUEST_TIMEOUT,
            Self::Invalid(_) | Self::Body(_) | Self::Form(_) | Self::Archive(_) => {
                S::UNPROCESSABLE_ENTITY
            }
            Self::BadFile(_) | Self::Address => S::BAD_REQUEST,
            Self::Conflict(_)
            | Self::ManyFiles
            | Self::NoClaim
            | Self::KeyReused
            | Self::OtherResult => S::CONFLICT,
            Self::Scope(_) | Self::Nobody | Self::Named => S::FORBIDDEN,
            Self::Agent(_) => S::BAD_GATEWAY,
            Self::NoBackup => S::NOT_IMPLEMENTED,
            Self::DiskFull => S::INSUFFICIENT_STORAGE,
            // As in the original.
            Self::Run(_) => return (S::INTERNAL_SERVER_ERROR, 422),
            Self::Server => S::INTERNAL_SERVER_ERROR,
        };
        (status, status.as_u16())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after,
            Self::Stopping
            | Self::GoesOn(_)
            | Self::Full
            | Self::NoPlace
            | Self::Enough
            | Self::EnoughRuns
            | Self::EnoughQuestions
            | Self::AgentBusy
            | Self::Busy
            | Self::Unavailable
            | Self::Body(BadBody::Busy(_)) => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, body_status) = self.status();
        let data = json!({ "error_type": "Error", "details": null });
        let message = wire::truncated(self.to_string());
        let mut response =
            Envelope { status, body_status, message, data, total: 0 }.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<store::Error> for Error {
    fn from(err: store::Error) -> Self {
        match err {
            store::Error::Busy => Self::Busy,
            store::Error::Full => Self::DiskFull,
            store::Error::Unavailable => Self::Unavailable,
            store::Error::Internal(_) => Self::Server,
        }
    }
}

impl From<FetchError> for Error {
    fn from(err: FetchError) -> Self {
        match err {
            FetchError::Gone => Self::NoFile,
            FetchError::Store(err) => err.into(),
            FetchError::Copy(err) => {
                tracing::error!(error = %err, "cannot copy a file to the scratch folder");
                Self::Server
            }
        }
    }
}

impl From<Refused> for Error {
    fn from(err: Refused) -> Self {
        match err {
            Refused::NoAgent | Refused::KeyReused => Self::Server,
            Refused::Share => Self::EnoughQuestions,
            Refused::TopicFull | Refused::DeskFull | Refused::Draining | Refused::Topics(_) => {
                Self::AgentBusy
            }
        }
    }
}

impl From<BadArchive> for Error {
    fn from(err: BadArchive) -> Self {
        match err {
            BadArchive::Scratch(err) => err.into(),
            err => Self::Archive(err),
        }
    }
}

impl From<RunError> for Error {
    fn from(err: RunError) -> Self {
        match err {
            RunError::NoChat => Self::NoChat,
            RunError::Full => Self::Full,
            RunError::Share => Self::EnoughRuns,
            RunError::KeyReused => Self::KeyReused,
            RunError::Store(err) => err.into(),
        }
    }
}

impl From<FileError> for Error {
    fn from(err: FileError) -> Self {
        match err {
            FileError::TooMany => Self::ManyFiles,
            FileError::Store(err) => err.into(),
        }
    }
}

impl From<PutError> for Error {
    fn from(err: PutError) -> Self {
        match err {
            PutError::TooLarge(limit) => Self::FileTooLarge(limit),
            PutError::Full => Self::DiskFull,
            PutError::Unavailable | PutError::Storage(_) => Self::Unavailable,
            PutError::BrokenOff(err) => match err.downcast::<FormError>() {
                Ok(err) => Self::Form(*err),
                Err(_) => Self::Server,
            },
        }
    }
}

/// A file in the scratch folder cannot be used.
impl From<std::io::Error> for Error {
    fn from(err: std::io::Error) -> Self {
        if is_full(&err) {
            return Self::DiskFull;
        }
        tracing::error!(error = %err, "cannot read or write a file in the scratch folder");
        Self::Server
    }
}

impl From<Shortage> for Error {
    fn from(err: Shortage) -> Self {
        match err {
            Shortage::Full => Self::NoPlace,
            Shortage::Share | Shortage::Strangers => Self::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_too_many_is_a_conflict_that_says_what_to_do() {
        let err = Error::from(FileError::TooMany);
        let message = "A chat has at most 9999 files; make another chat for this one";
        assert_eq!((err.status(), &*err.to_string()), ((StatusCode::CONFLICT, 409), message));
        assert_eq!(err.retry_after(), None);
    }
}
