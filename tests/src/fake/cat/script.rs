//! Steps of a Cat that answers a question.
use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::Semaphore;

/// One thing that a Cat does.
#[derive(Clone, Debug)]
pub enum Step {
    Token(String),
    Notice(Value),
    /// The reply, in the shape of the version.
    Reply(String),
    /// A reply that says it is one to another question.
    ReplyTo(String, String),
    /// An error frame: name and description. Up to 1.5 the connection ends with it.
    Fail(String, String),
    /// A text frame, whatever is in it.
    Frame(String),
    Binary(Vec<u8>),
    Ping,
    /// A text frame, a byte at a time.
    Drip(String, Duration),
    /// Bytes as they are, of a frame or of none.
    Bytes(Vec<u8>),
    /// This token until the connection is gone.
    Endless(String),
    /// Go on when the gate is opened.
    Hold(Gate),
    /// A close frame with this code, and the end.
    Close(u16),
    /// The end without a close frame.
    Cut,
}

/// Holds a step back until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

// === impl Step ===

impl Step {
    /// Default steps: the reply `re: QUESTION`, word by word before.
    pub fn answer(question: &str) -> Vec<Self> {
        let reply = format!("re: {question}");
        let tokens = reply.split_inclusive(' ').map(Self::token);
        tokens.chain([Self::Reply(reply.clone())]).collect()
    }

    pub fn token(text: &str) -> Self {
        Self::Token(text.to_owned())
    }

    pub fn reply(text: &str) -> Self {
        Self::Reply(text.to_owned())
    }

    pub fn frame(text: &str) -> Self {
        Self::Frame(text.to_owned())
    }
}

// === impl Gate ===

impl Gate {
    /// A closed one.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn opened(&self) {
        // Closed is what it is when everybody may pass.
        self.0.acquire().await.map(drop).unwrap_or_default();
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
