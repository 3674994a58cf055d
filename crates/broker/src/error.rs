//! Errors as clients see them.
use std::borrow::Cow;

use quadrille_core::{BadTopic, TooManyTopics};
use quadrille_identity::NotRefreshed;
use quadrille_identity::{Denied, Exceeded, NotAllowed, Rate};
use serde_json::json;

/// A frame that could not be used. The connection stays open.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the frame is not JSON; send one JSON object as a text frame")]
    NotJson,
    #[error("the frame is nested deeper than {} levels", quadrille_core::json::DEPTH)]
    TooDeep,
    #[error("the frame is JSON but not an object; send {{\"channel\":…,\"payload\":…}}")]
    NotAnObject,
    #[error("binary frames are not part of this protocol; send text")]
    Binary,
    #[error("the frame names no channel; send {{\"channel\":…,\"payload\":…}}")]
    NoChannel,
    #[error(
        "unknown action; use subscribe, unsubscribe, history, presence, cancel, ping or refresh"
    )]
    UnknownAction,
    #[error(
        "the channel name is invalid; send a string without control characters that is not empty and not `subscription`"
    )]
    BadChannel,
    #[error("the channel name is longer than {0} bytes")]
    ChannelTooLong(usize),
    #[error("since is not a position; send one back exactly as it was received")]
    BadPosition,
    #[error("limit must be a whole number from 1 to {0}")]
    BadLimit(usize),
    #[error("positions must be true or false")]
    BadOption,
    #[error(
        "no such turn is running in this channel; send the message_id of its frames as turn, or none for the one that runs"
    )]
    UnknownTurn,
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error("the token belongs to another user; open another connection for it")]
    AnotherUser,
    #[error("token must be a string; send a new token")]
    NoToken,
    #[error(transparent)]
    BadToken(#[from] Denied),
    #[error("this connection has {0} subscriptions already; unsubscribe from one first")]
    TooManyChannels(usize),
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("{}", advice(*.0))]
    TooManyTopics(TooManyTopics),
}

impl Error {
    /// Code for programs, stable; `docs/protocol/broker.md` lists them.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotJson | Self::TooDeep => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::Binary => "binary_frame",
            Self::NoChannel => "no_channel",
            Self::UnknownAction => "unknown_action",
            Self::BadChannel => "bad_channel",
            Self::ChannelTooLong(_) => "channel_too_long",
            Self::BadPosition => "bad_position",
            Self::BadLimit(_) => "bad_limit",
            Self::BadOption => "bad_option",
            Self::UnknownTurn => "unknown_turn",
            Self::NotAllowed(_) | Self::AnotherUser => "not_allowed",
            Self::NoToken | Self::BadToken(_) => "bad_token",
            Self::TooManyChannels(_) => "too_many_channels",
            Self::Exceeded(Exceeded { rate, .. }) => match rate {
                Rate::Publishes => "rate_limited",
                // A frame is to a WebSocket what a request is to HTTP.
                Rate::Requests | Rate::Frames => "too_many_frames",
                Rate::BadTokens => "too_many_bad_tokens",
            },
            Self::TooManyTopics(_) => "too_many_topics",
        }
    }

    /// Frame that reports the error, about `channel` if it is about one.
    pub(crate) fn frame(&self, channel: Option<&str>, timestamp: f64) -> String {
        let mut payload = json!({
            "type": "error",
            "status": "error",
            "code": self.code(),
            "message": self.to_string(),
            "timestamp": timestamp,
        });
        if let Some(channel) = channel {
            payload["channel"] = shortened(channel).into();
        }
        if let Self::Exceeded(Exceeded { retry_after, .. }) = self {
            payload["retry_after"] = retry_after.as_secs_f64().into();
        }
        json!({ "channel": "subscription", "payload": payload }).to_string()
    }
}

fn advice(err: TooManyTopics) -> &'static str {
    match err {
        TooManyTopics::Full => {
            "the server holds too many topics; use one that exists, or try again later"
        }
        TooManyTopics::Share => "you follow too many topics; unsubscribe from some first",
    }
}

/// Shortens a channel name, which may be of any length here.
fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(240) {
        None => name.into(),
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()).into(),
    }
}

impl From<TooManyTopics> for Error {
    fn from(err: TooManyTopics) -> Self {
        Self::TooManyTopics(err)
    }
}

impl From<NotRefreshed> for Error {
    fn from(err: NotRefreshed) -> Self {
        match err {
            NotRefreshed::Exceeded(err) => err.into(),
            NotRefreshed::Denied(err) => err.into(),
            NotRefreshed::AnotherUser => Self::AnotherUser,
        }
    }
}

impl From<BadTopic> for Error {
    fn from(_: BadTopic) -> Self {
        Self::BadChannel
    }
}
