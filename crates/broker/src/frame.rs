//! Frames of clients: commands in four forms, and publications in three.
use std::{borrow::Cow, fmt};

use quadrille_core::json;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};

use crate::error::Error;

/// The channel that commands are sent to and errors come from.
pub(crate) const SUBSCRIPTION: &str = "subscription";

#[derive(Debug)]
pub(crate) enum Frame<'a> {
    Command(CommandForm, FrameMembers<'a>),
    Publication(PublishFrame<'a>),
}

/// The form of a command, which its answer has, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandForm {
    /// `{"channel":"subscription","payload":{"action":…,"channel":…}}`
    Envelope,
    /// `{"action":…,"channel":…}`
    Action,
    /// `{"type":…,"payload":{"channel":…}}`
    Type,
    /// `{"type":…,"channel":…}`
    Flat,
}

#[derive(Debug)]
pub(crate) struct PublishFrame<'a> {
    pub(crate) channel: Cow<'a, str>,
    /// `None` if the whole frame is the message.
    pub(crate) payload: Option<&'a RawValue>,
}

/// The members of an object that this protocol knows, unparsed. The last of duplicates counts.
#[derive(Debug, Default)]
pub(crate) struct FrameMembers<'a> {
    pub(crate) channel: Option<&'a RawValue>,
    pub(crate) since: Option<&'a RawValue>,
    pub(crate) positions: Option<&'a RawValue>,
    pub(crate) limit: Option<&'a RawValue>,
    pub(crate) token: Option<&'a RawValue>,
    pub(crate) turn: Option<&'a RawValue>,
    action: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
    message: bool,
}

const ACTIONS: &[&str] = &["subscribe", "unsubscribe", "history", "presence", "ping"];

/// Actions added after the first revision of the protocol: a `type` of these without the members
/// that the action needs is a channel.
const ADDED: &[&str] = &["cancel", "refresh"];

impl<'a> Frame<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        if json::is_deep(text) {
            return Err(Error::TooDeep);
        }
        let mut whole = FrameMembers::parse(text)?;
        let channel = whole.channel.map(self::text);
        if channel.as_ref().is_some_and(|name| name.as_deref() == Some(SUBSCRIPTION)) {
            let payload = whole.payload.ok_or(Error::UnknownAction)?;
            let inner = FrameMembers::parse(payload.get()).map_err(|_| Error::UnknownAction)?;
            return Ok(Self::Command(CommandForm::Envelope, inner));
        }
        if whole.action.is_some() && whole.payload.is_none() && !whole.message {
            return Ok(Self::Command(CommandForm::Action, whole));
        }
        let kind = whole.kind.and_then(self::text);
        let is_added = kind.as_deref().is_some_and(|kind| ADDED.contains(&kind));
        let names_action = is_added || kind.as_deref().is_some_and(|kind| ACTIONS.contains(&kind));
        let is_whole = !is_added || whole.is_whole(kind.as_deref());
        if names_action && is_whole && whole.payload.is_none() && !whole.message {
            return Ok(Self::Command(CommandForm::Flat, whole));
        }
        if names_action && whole.channel.is_none() {
            let inner = whole.payload.and_then(|payload| FrameMembers::parse(payload.get()).ok());
            let is_command = |inner: &FrameMembers<'_>| match kind.as_deref() {
                Some("ping") => true,
                Some(_) if is_added => inner.is_whole(kind.as_deref()),
                _ => inner.channel.is_some(),
            };
            if let Some(mut inner) = inner.filter(is_command) {
                inner.kind = whole.kind.take();
                return Ok(Self::Command(CommandForm::Type, inner));
            }
        }
        let channel = match (channel, kind) {
            (Some(channel), _) => channel.ok_or(Error::BadChannel)?,
            (None, Some(kind)) if whole.payload.is_some() => kind,
            (None, Some(_)) => return Err(Error::UnknownAction),
            (None, None) => return Err(Error::NoChannel),
        };
        Ok(Self::Publication(PublishFrame { channel, payload: whole.payload }))
    }
}

impl<'a> FrameMembers<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|err| match err.classify() {
            Category::Data => Error::NotAnObject,
            _ => Error::NotJson,
        })
    }

    /// Whether the members are there that an action of [`ADDED`] needs.
    fn is_whole(&self, action: Option<&str>) -> bool {
        match action {
            Some("refresh") => self.token.is_some(),
            _ => self.channel.is_some() && self.turn.is_some(),
        }
    }

    /// Value of `action`, or else of `type`.
    pub(crate) fn action(&self) -> Option<Cow<'a, str>> {
        self.action.or(self.kind).and_then(text)
    }
}

/// Decodes a JSON string; `None` for another value.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    match serde_json::from_str(value.get()) {
        Ok(Borrowed(text)) => Some(text),
        Err(_) => json::read(value.get()).ok().map(Cow::Owned),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FrameMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum MemberName {
    Channel,
    Payload,
    Action,
    Type,
    Message,
    Since,
    Positions,
    Limit,
    Token,
    Turn,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = FrameMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FrameMembers<'de>, A::Error> {
        let mut members = FrameMembers::default();
        while let Some(name) = map.next_key()? {
            let place = match name {
                MemberName::Channel => &mut members.channel,
                MemberName::Payload => &mut members.payload,
                MemberName::Action => &mut members.action,
                MemberName::Type => &mut members.kind,
                MemberName::Since => &mut members.since,
                MemberName::Positions => &mut members.positions,
                MemberName::Limit => &mut members.limit,
                MemberName::Token => &mut members.token,
                MemberName::Turn => &mut members.turn,
                MemberName::Message | MemberName::Other => {
                    members.message |= matches!(name, MemberName::Message);
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = Some(map.next_value()?);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Frame::parse(text) {
            Ok(Frame::Command(form, members)) => {
                let channel = members.channel.and_then(self::text).unwrap_or_default();
                format!("{form:?} {} {channel}", members.action().unwrap_or_default())
            }
            Ok(Frame::Publication(PublishFrame { channel, payload })) => {
                format!("to {channel}: {}", payload.map_or("all", RawValue::get))
            }
            Err(err) => err.code().to_owned(),
        }
    }

    #[test]
    fn each_form_means_what_its_client_means() {
        let cases = [
            (
                r#"{"channel":"subscription","payload":{"action":"subscribe","channel":"a"}}"#,
                "Envelope subscribe a",
            ),
            (
                r#"{"payload":{"channel":"a","action":"history"},"channel":"subscription"}"#,
                "Envelope history a",
            ),
            (r#"{"action":"unsubscribe","channel":"a"}"#, "Action unsubscribe a"),
            (r#"{"type":"subscribe","payload":{"channel":"a"}}"#, "Type subscribe a"),
            (r#"{"type":"unsubscribe","channel":"a"}"#, "Flat unsubscribe a"),
            (r#"{"type":"ping"}"#, "Flat ping "),
            (r#"{"type":"ping","payload":{}}"#, "Type ping "),
            (r#"{"channel":"subscription","payload":{"action":"refresh"}}"#, "Envelope refresh "),
            (r#"{"action":"refresh","token":"a"}"#, "Action refresh "),
            (r#"{"type":"refresh","token":"a"}"#, "Flat refresh "),
            (r#"{"type":"refresh","payload":{"token":"a"}}"#, "Type refresh "),
            (r#"{"type":"refresh","payload":{"channel":"a"}}"#, r#"to refresh: {"channel":"a"}"#),
            (r#"{"type":"refresh","channel":"a"}"#, "to a: all"),
            (r#"{"type":"cancel","channel":"a","turn":"t"}"#, "Flat cancel a"),
            (r#"{"type":"cancel","payload":{"channel":"a","turn":"t"}}"#, "Type cancel a"),
            (r#"{"type":"cancel","payload":{"channel":"a"}}"#, r#"to cancel: {"channel":"a"}"#),
            (r#"{"action":"cancel","channel":"a","turn":"t"}"#, "Action cancel a"),
            (r#"{"ch\u0061nnel":"\u00e4","payload": [1, 2]}"#, "to ä: [1, 2]"),
            (r#"{"channel":"a","payload":null}"#, "to a: null"),
            (r#"{"channel":"a","message":"hi","message_id":"1"}"#, "to a: all"),
            (r#"{"channel":"a","action":"wave","message":"hi"}"#, "to a: all"),
            (r#"{"channel":"a","type":"subscribe","message":"hi"}"#, "to a: all"),
            (r#"{"channel":"a","type":"subscribe","payload":1}"#, "to a: 1"),
            (r#"{"type":"a","payload":{"message":1}}"#, r#"to a: {"message":1}"#),
            (r#"{"type":"history","payload":{"message":1}}"#, r#"to history: {"message":1}"#),
            (r#"{"channel":"a","channel":"b","payload":1}"#, "to b: 1"),
        ];
        for (text, meaning) in cases {
            assert_eq!(parsed(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_code() {
        let deep =
            format!(r#"{{"channel":"a","payload":{}1{}}}"#, "[".repeat(128), "]".repeat(128));
        let wide = format!(r#"{{"channel":"a","payload":[{}1]}}"#, "[],".repeat(1000));
        let cases = [
            ("", "not_json"),
            ("hello", "not_json"),
            (r#"{"channel":"a""#, "not_json"),
            (r#"{"channel":"a","payload":1} x"#, "not_json"),
            ("[1]", "not_an_object"),
            ("7", "not_an_object"),
            ("null", "not_an_object"),
            ("{}", "no_channel"),
            (r#"{"payload":1}"#, "no_channel"),
            (r#"{"channel":7,"payload":1}"#, "bad_channel"),
            (r#"{"type":"hello"}"#, "unknown_action"),
            (r#"{"channel":"subscription"}"#, "unknown_action"),
            (r#"{"channel":"subscription","payload":"subscribe"}"#, "unknown_action"),
            (deep.as_str(), "not_json"),
            (wide.as_str(), "to a: "),
        ];
        for (text, code) in cases {
            assert!(parsed(text).starts_with(code), "{text}: {}", parsed(text));
        }
    }
}
