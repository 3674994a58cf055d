//! Commands, read from the members of their frames.
use std::borrow::Cow;

use quadrille_core::Position;
use quadrille_identity::Token;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    error::Error,
    frame::{self, CommandForm, FrameMembers},
};

/// Upper bound on the records in one answer to `history`.
pub(crate) const HISTORY_MAX: usize = 1000;

/// Records in an answer to `history` that names no limit.
const HISTORY: usize = 100;

#[derive(Debug)]
pub(crate) struct ClientCommand<'a> {
    pub(crate) form: CommandForm,
    pub(crate) verb: Verb<'a>,
}

#[derive(Debug)]
pub(crate) enum Verb<'a> {
    Subscribe { channel: Cow<'a, str>, since: Option<Position>, positions: bool },
    Unsubscribe { channel: Cow<'a, str> },
    History { channel: Cow<'a, str>, since: Option<Position>, limit: usize },
    Presence { channel: Cow<'a, str> },
    Cancel { channel: Cow<'a, str>, turn: Option<Uuid> },
    Ping,
    Refresh { token: Token },
}

impl<'a> ClientCommand<'a> {
    /// Reads a command; an error comes with the channel that the command names.
    pub(crate) fn read(
        form: CommandForm,
        members: &FrameMembers<'a>,
    ) -> Result<Self, (Error, Option<Cow<'a, str>>)> {
        let channel = members.channel.and_then(frame::text);
        match Verb::read(members, channel.clone()) {
            Ok(verb) => Ok(Self { form, verb }),
            Err(err) => Err((err, channel)),
        }
    }
}

impl<'a> Verb<'a> {
    pub(crate) fn channel(&self) -> Option<&str> {
        match self {
            Self::Subscribe { channel, .. }
            | Self::Unsubscribe { channel }
            | Self::History { channel, .. }
            | Self::Presence { channel }
            | Self::Cancel { channel, .. } => Some(channel),
            Self::Ping | Self::Refresh { .. } => None,
        }
    }

    fn read(members: &FrameMembers<'a>, channel: Option<Cow<'a, str>>) -> Result<Self, Error> {
        let action = members.action();
        let channel = || match members.channel {
            None => Err(Error::NoChannel),
            Some(_) => channel.ok_or(Error::BadChannel),
        };
        Ok(match action.as_deref() {
            Some("subscribe") => Self::Subscribe {
                channel: channel()?,
                since: since(members.since)?,
                positions: positions(members.positions)?,
            },
            Some("unsubscribe") => Self::Unsubscribe { channel: channel()? },
            Some("history") => Self::History {
                channel: channel()?,
                since: since(members.since)?,
                limit: limit(members.limit)?,
            },
            Some("presence") => Self::Presence { channel: channel()? },
            Some("cancel") => Self::Cancel { channel: channel()?, turn: turn(members.turn)? },
            Some("ping") => Self::Ping,
            Some("refresh") => Self::Refresh { token: token(members.token)? },
            _ => return Err(Error::UnknownAction),
        })
    }
}

fn token(value: Option<&RawValue>) -> Result<Token, Error> {
    let text = value.and_then(frame::text).ok_or(Error::NoToken)?;
    Ok(Token::from(&*text))
}

fn turn(value: Option<&RawValue>) -> Result<Option<Uuid>, Error> {
    let turn = given(value).map(serde_json::from_str).transpose();
    turn.map_err(|_| Error::UnknownTurn)
}

/// Text of an option; `null` is none.
fn given(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get).filter(|value| *value != "null")
}

fn since(value: Option<&RawValue>) -> Result<Option<Position>, Error> {
    let position = given(value).map(serde_json::from_str).transpose();
    position.map_err(|_| Error::BadPosition)
}

fn positions(value: Option<&RawValue>) -> Result<bool, Error> {
    let positions = given(value).map(serde_json::from_str).transpose();
    positions.map(Option::unwrap_or_default).map_err(|_| Error::BadOption)
}

fn limit(value: Option<&RawValue>) -> Result<usize, Error> {
    let limit = given(value).map_or(Ok(HISTORY), serde_json::from_str);
    limit.ok().filter(|limit| (1..=HISTORY_MAX).contains(limit)).ok_or(Error::BadLimit(HISTORY_MAX))
}
