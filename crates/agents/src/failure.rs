//! Failures of turns.
use std::{error::Error, fmt};

/// The failure of a turn: a code for programs, and a cause for the log alone.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    /// Never shown to a client: it may repeat the upstream's words.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// The stable code of a failure; see `docs/protocol/relay.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No connection to the upstream.
    Unreachable,
    /// The upstream rejects the gateway's credential, or does not know the address.
    Refused,
    /// The upstream ended before its reply did.
    BrokenOff,
    /// The upstream reported a failure.
    Upstream,
    /// The upstream's answer is not a reply.
    BadAnswer,
    /// The reply is longer than `max_reply`.
    TooLong,
    ConnectTimeout,
    FirstTokenTimeout,
    TokenTimeout,
    TotalTimeout,
    /// The turn waited too long in the queue.
    QueueTimeout,
    /// The gateway stopped before the reply was complete.
    Interrupted,
    /// The question names no agent of the configuration.
    NoAgent,
    /// Too many questions waited.
    Busy,
    /// The reply, or the question, could not be stored.
    NotStored,
    /// A defect of the gateway.
    Internal,
}

// === impl Failure ===

impl Failure {
    /// A failure and its cause, for the log.
    pub fn new(code: Code, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, source: Some(source.into()) }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self { code, source: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.title())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

// === impl Code ===

impl Code {
    const ALL: [Self; 16] = [
        Self::Unreachable,
        Self::Refused,
        Self::BrokenOff,
        Self::Upstream,
        Self::BadAnswer,
        Self::TooLong,
        Self::ConnectTimeout,
        Self::FirstTokenTimeout,
        Self::TokenTimeout,
        Self::TotalTimeout,
        Self::QueueTimeout,
        Self::Interrupted,
        Self::NoAgent,
        Self::Busy,
        Self::NotStored,
        Self::Internal,
    ];

    /// The code of this text; `None` for another text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The code for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::BrokenOff => "broken_off",
            Self::Upstream => "upstream",
            Self::BadAnswer => "bad_answer",
            Self::TooLong => "too_long",
            Self::ConnectTimeout => "connect_timeout",
            Self::FirstTokenTimeout => "first_token_timeout",
            Self::TokenTimeout => "token_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::QueueTimeout => "queue_timeout",
            Self::Interrupted => "interrupted",
            Self::NoAgent => "no_agent",
            Self::Busy => "busy",
            Self::NotStored => "not_stored",
            Self::Internal => "internal",
        }
    }

    /// The text for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Unreachable => "the agent cannot be reached",
            Self::Refused => "the agent does not accept the gateway",
            Self::BrokenOff => "the agent broke off",
            Self::Upstream => "the agent failed",
            Self::BadAnswer => "the agent's answer cannot be read",
            Self::TooLong => "the reply is too long",
            Self::ConnectTimeout => "the agent took too long to be reached",
            Self::FirstTokenTimeout => "the agent took too long to begin",
            Self::TokenTimeout => "the agent fell silent",
            Self::TotalTimeout => "the reply took too long",
            Self::QueueTimeout => "the question waited too long for its turn",
            Self::Interrupted => "the gateway stopped",
            Self::NoAgent => "there is no such agent",
            Self::Busy => "too many questions wait",
            Self::NotStored => "the conversation could not be stored",
            Self::Internal => "internal error of the gateway",
        }
    }
}
