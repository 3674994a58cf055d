//! A question as it comes over HTTP, and whose it is.
use std::{fmt, sync::Arc};

use axum::extract::Request;
use http::HeaderMap;
use quadrille_agents::Ask;
use quadrille_core::Topic;
use quadrille_edge::http::{Body, Caller};
use quadrille_identity::Action;
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use crate::{
    Relay,
    error::{Error, KEY},
};

/// What to ask. Members that are not listed are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Question {
    /// Who asks. With a token that names a user, it is that user instead.
    #[serde(default, deserialize_with = "text_or_number")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 250, pattern = r"^[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$")]
    user_id: Option<String>,
    /// What the user says; either this or `text`.
    #[schema(min_length = 1, pattern = r"[^\s\u0085]")]
    message: Option<String>,
    /// The same by another name.
    #[schema(min_length = 1, pattern = r"[^\s\u0085]")]
    text: Option<String>,
    /// An agent of the configuration; without it, the default one.
    agent: Option<String>,
    /// Makes it safe to send this again: a question with the same key is asked once. The header
    /// `Idempotency-Key` means the same, and wins.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    idempotency_key: Option<String>,
    /// Where the turn goes on, as `namespace:name` or the name of a channel; without
    /// it, the topic `user:` and the user.
    #[schema(
        min_length = 1,
        max_length = 250,
        pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"
    )]
    topic: Option<String>,
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Relay {
    /// Read a question, and decide who asks it where.
    pub(crate) async fn question(&self, caller: &Caller, request: Request) -> Result<Ask, Error> {
        let in_header = key_in(request.headers())?;
        let body = Body::read(request, self.0.config.max_body_size).await?;
        let question: Question = body.parse()?;
        let Question { user_id, message, text, agent, idempotency_key, topic } = question;
        let (user, topic) = self.place(caller, user_id, topic)?;
        let text = match (message, text) {
            (Some(text), None) | (None, Some(text)) if !text.trim().is_empty() => text,
            _ => return Err(Error::Message),
        };
        if [&in_header, &idempotency_key].into_iter().flatten().any(|key| !is_key(key)) {
            return Err(Error::Key);
        }
        let key = in_header.or(idempotency_key);
        let (agent, key) = (agent.map(Into::into), key.map(Into::into));
        let holder = self.0.core.holder_for(&caller.principal, Some(&user), caller.peer.0);
        Ok(Ask { topic, user, holder, text: text.into(), agent, key, id: None })
    }

    /// The user who asks, and the topic in which they do.
    fn place(
        &self,
        caller: &Caller,
        claimed: Option<String>,
        topic: Option<String>,
    ) -> Result<(Arc<str>, Topic), Error> {
        let known = caller.principal.user.clone();
        let user = known.or_else(|| claimed.map(Into::into)).ok_or(Error::NoUser)?;
        let own = Topic::new("user", &user).map_err(Error::User)?;
        // A program that acts for nobody may ask for those whose topics it may write to.
        if !self.is_open() {
            caller.allow(Action::Write, &own)?;
        }
        let Some(name) = topic else { return Ok((user, own)) };
        let topic = Topic::from_channel(&name).map_err(Error::Topic)?;
        caller.allow(Action::Write, &topic)?;
        Ok((user, topic))
    }
}

/// The key of the header, as text or as a structured string (RFC 9651, 3.3.3).
fn key_in(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut all = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return if headers.contains_key(IDEMPOTENCY_KEY) { Err(Error::Key) } else { Ok(None) };
    };
    let text = value.to_str().map_err(|_| Error::Key)?.trim();
    let quoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Ok(Some(quoted.unwrap_or(text).to_owned()))
}

fn is_key(key: &str) -> bool {
    (1..=KEY).contains(&key.len()) && !key.chars().any(char::is_control)
}

/// Ids of users are texts, but some clients write them as numbers.
fn text_or_number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    struct Id;

    impl de::Visitor<'_> for Id {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a whole number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        /// Some write 7 as `7.0`.
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
            match number.fract() {
                0.0 => Ok(Some(format!("{number:.0}"))),
                _ => Err(E::invalid_type(de::Unexpected::Float(number), &self)),
            }
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    value.deserialize_any(Id)
}
