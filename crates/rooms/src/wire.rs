//! Records and answers in JSON, with each member under every name that a client reads.
use std::borrow::Cow;

use jiff::Timestamp;
use quadrille_store::{Message, Sender};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The id of a user, written as a number if it is one, for clients that compare it with theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserId<'a>(pub(crate) &'a str);

impl Serialize for UserId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<i64>() {
            Ok(number) if number.to_string() == self.0 => serializer.serialize_i64(number),
            _ => serializer.serialize_str(self.0),
        }
    }
}

/// A message, as `new_message` and `ai_response_complete` show it.
#[derive(Debug, Serialize)]
pub(crate) struct MessageView<'a> {
    pub(crate) message_id: Option<i64>,
    pub(crate) role: &'static str,
    pub(crate) sender: &'static str,
    pub(crate) content: &'a str,
    pub(crate) timestamp: String,
    pub(crate) created_at: String,
    pub(crate) conversation_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<UserId<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temp_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancelled: Option<bool>,
}

impl<'a> MessageView<'a> {
    pub(crate) fn of(message: &'a Message) -> Self {
        let at = time(message.created_at);
        Self {
            message_id: Some(message.id),
            role: sender(message.sender),
            sender: sender(message.sender),
            content: &message.content,
            timestamp: at.clone(),
            created_at: at,
            conversation_id: message.conversation_id,
            user_id: message.user_id.as_deref().map(UserId),
            temp_id: None,
            turn: None,
            cancelled: None,
        }
    }
}

pub(crate) fn sender(sender: Sender) -> &'static str {
    match sender {
        Sender::User => "user",
        Sender::Assistant => "assistant",
    }
}

pub(crate) use quadrille_turns::apology;

/// Writes a time in Unix milliseconds: UTC, without a zone, as Python does.
pub(crate) fn time(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    let text = format!("{:.6}", at.to_zoned(jiff::tz::TimeZone::UTC).datetime());
    text.replace(' ', "T")
}

/// Converts Unix milliseconds to seconds.
pub(crate) fn seconds(millis: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287,396")]
    let millis = millis as f64;
    millis / 1000.0
}

pub(crate) fn now() -> f64 {
    seconds(quadrille_core::now())
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON")
}

/// Reads a member that some clients write as a string and others as a number.
pub(crate) fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Adds members to `payload`, written as `"a":1,"b":2`. A payload that is no object becomes the
/// member `data` of one.
pub(crate) fn with_members<'a>(payload: &'a str, members: &str) -> Cow<'a, str> {
    if members.is_empty() {
        return Cow::Borrowed(payload);
    }
    let payload = payload.trim();
    let inner = payload.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some(inner) if inner.trim().is_empty() => format!("{{{members}}}").into(),
        Some(inner) => format!("{{{inner},{members}}}").into(),
        None => format!("{{\"data\":{payload},{members}}}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_writes_them() {
        assert_eq!(time(1_795_555_139_263), "2026-11-24T21:18:59.263000");
        assert_eq!(time(0), "1970-01-01T00:00:00.000000");
        assert!((seconds(1_500) - 1.5).abs() < f64::EPSILON);
    }

    #[test]
    fn an_id_that_is_a_number_is_shown_as_one() {
        let ids = ["7", "07", "-3", "ada", "99999999999999999999"].map(|id| json(&UserId(id)));
        assert_eq!(ids, ["7", "\"07\"", "-3", "\"ada\"", "\"99999999999999999999\""]);
    }

    #[test]
    fn members_are_added_to_objects_and_around_all_else() {
        let cases = [("{}", "{\"p\":1}"), (" {\"a\":2} ", "{\"a\":2,\"p\":1}")];
        for (payload, expected) in cases {
            assert_eq!(with_members(payload, "\"p\":1"), expected);
        }
        assert_eq!(with_members("[1]", "\"p\":1"), "{\"data\":[1],\"p\":1}");
        assert_eq!(with_members("[1]", ""), "[1]");
    }
}
