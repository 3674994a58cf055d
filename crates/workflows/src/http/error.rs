//! Why a request is refused, in the envelope that clients of workflows read.
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use quadrille_agents::{Code, Refused};
use quadrille_core::Shortage;
use quadrille_edge::http::{BadBody, Problem, form::FormError};
use quadrille_store::{self as store, ChatFile, FileError, RunError, files::PutError};
use serde_json::json;

use super::{dump, envelope::Envelope};
use crate::{archive::BadArchive, engine::FetchError, wire};

/// The message is what the client is told; causes are logged, and not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{}{}", .0.title, .0.detail.as_deref().map(|it| format!(": {it}")).unwrap_or_default())]
    Problem(Problem),
    #[error("The address cannot be used: it is not UTF-8")]
    Address,
    #[error("This address does not take this method")]
    Method,
    #[error("The token names nobody; use one with `sub`")]
    Nobody,
    #[error("Conversation not found")]
    NoChat,
    #[error("File not found")]
    NoFile,
    #[error("Job not found")]
    NoRun,
    #[error("This claim does not hold any more; stop working on the step")]
    NoClaim,
    #[error("This needs a token with the scope {0}")]
    Scope(&'static str),
    #[error("A chat of this name needs a token that may write to its topic; leave chat_id out")]
    Named,
    #[error("{0}")]
    Invalid(String),
    /// The file that came with the request cannot be used.
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
    /// Whoever waits for the run is answered before its end.
    #[error(
        "The server is stopping; the run {0} goes on after the next start: look at it then, and do not \
         send it again without its Idempotency-Key"
    )]
    GoesOn(String),
    #[error("The Idempotency-Key came with another request; use a new one")]
    KeyReused,
    #[error("This step was finished with another result")]
    OtherResult,
    #[error("Too many runs are waiting; try again later")]
    Full,
    #[error("Too many requests of this kind are under way; try again later")]
    NoPlace,
    #[error(
        "You have your share of the requests of this kind under way; try again when one is done"
    )]
    Enough,
    #[error(
        "You have your share of the runs that may wait; try again when one of them is done, or cancel one"
    )]
    EnoughRuns,
    #[error("You have your share of the questions that may wait; try again after a reply")]
    EnoughQuestions,
    #[error("Too many questions are waiting; try again later")]
    AgentBusy,
    #[error("The agent did not answer: {}", .0.title())]
    Agent(Code),
    #[error("The database is busy; try again later")]
    Busy,
    #[error("Nothing can be stored or read now; try again later")]
    Unavailable,
    #[error("There is no room left to store this; tell the operator")]
    DiskFull,
    #[error("The server failed; its log has the cause")]
    Server,
}

const SOON: Duration = Duration::from_secs(5);

impl Error {
    /// The status of the response, and the one that its body tells.
    fn status(&self) -> (StatusCode, u16) {
        use StatusCode as S;
        let status = match self {
            Self::Problem(why) => S::from_u16(why.status).unwrap_or(S::INTERNAL_SERVER_ERROR),
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
            // As clients of the original know it.
            Self::Run(_) => return (S::INTERNAL_SERVER_ERROR, 422),
            Self::Server => S::INTERNAL_SERVER_ERROR,
        };
        (status, status.as_u16())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(why) => why.retry_after,
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
            | Self::Body(BadBody::Busy(_)) => Some(SOON),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, told) = self.status();
        let data = json!({ "error_type": "Error", "details": null });
        let message = wire::short(self.to_string());
        let mut response = Envelope { status, told, message, data, total: 0 }.into_response();
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
    fn from(why: Problem) -> Self {
        Self::Problem(why)
    }
}

impl From<store::Error> for Error {
    fn from(why: store::Error) -> Self {
        match why {
            store::Error::Busy => Self::Busy,
            store::Error::Full => Self::DiskFull,
            store::Error::Unavailable => Self::Unavailable,
            store::Error::Internal(_) => Self::Server,
        }
    }
}

impl From<FetchError> for Error {
    fn from(why: FetchError) -> Self {
        match why {
            FetchError::Gone => Self::NoFile,
            FetchError::Store(why) => why.into(),
            FetchError::Copy(why) => {
                tracing::error!(error = %why, "a file could not be copied to where it is looked at");
                Self::Server
            }
        }
    }
}

impl From<Refused> for Error {
    fn from(why: Refused) -> Self {
        match why {
            Refused::NoAgent | Refused::KeyReused => Self::Server,
            Refused::Share => Self::EnoughQuestions,
            Refused::TopicFull | Refused::DeskFull | Refused::Draining | Refused::Topics(_) => {
                Self::AgentBusy
            }
        }
    }
}

impl From<BadArchive> for Error {
    fn from(why: BadArchive) -> Self {
        match why {
            BadArchive::Scratch(why) => dump::scratch(&why),
            why => Self::Archive(why),
        }
    }
}

impl From<RunError> for Error {
    fn from(why: RunError) -> Self {
        match why {
            RunError::NoChat => Self::NoChat,
            RunError::Full => Self::Full,
            RunError::Share => Self::EnoughRuns,
            RunError::KeyReused => Self::KeyReused,
            RunError::Store(why) => why.into(),
        }
    }
}

impl From<FileError> for Error {
    fn from(why: FileError) -> Self {
        match why {
            FileError::TooMany => Self::ManyFiles,
            FileError::Store(why) => why.into(),
        }
    }
}

impl From<PutError> for Error {
    fn from(why: PutError) -> Self {
        match why {
            PutError::TooLarge(limit) => Self::FileTooLarge(limit),
            PutError::Full => Self::DiskFull,
            PutError::Unavailable | PutError::Storage(_) => Self::Unavailable,
            PutError::BrokenOff(why) => match why.downcast::<FormError>() {
                Ok(why) => Self::Form(*why),
                Err(_) => Self::Server,
            },
        }
    }
}

impl From<Shortage> for Error {
    fn from(why: Shortage) -> Self {
        match why {
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
        let why = Error::from(FileError::TooMany);
        let said = "A chat has at most 9999 files; make another chat for this one";
        assert_eq!((why.status(), &*why.to_string()), ((StatusCode::CONFLICT, 409), said));
        assert_eq!(why.retry_after(), None);
    }
}
