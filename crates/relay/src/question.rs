//! A question over HTTP, and the user who asks it.
use std::{fmt, sync::Arc};

use axum::extract::Request;
use http::{HeaderMap, HeaderValue};
use quadrille_agents::Ask;
use quadrille_core::{IdempotencyKey, Topic, user_topic};
use quadrille_edge::http::{Caller, JsonBody};
use quadrille_identity::Action;
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use crate::{State, error::Error};

/// A question. Members that are not listed are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Question)]
pub(crate) struct QuestionBody {
    /// The user who asks. If the token names a user, that one counts.
    #[serde(default, deserialize_with = "text_or_number")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 250, pattern = r"^[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$")]
    user_id: Option<String>,
    /// The text of the question; either this or `text`.
    #[schema(min_length = 1, pattern = r"[^\s\u0085]")]
    message: Option<String>,
    /// The text of the question, by another name.
    #[schema(min_length = 1, pattern = r"[^\s\u0085]")]
    text: Option<String>,
    /// An agent of the configuration; without it, the default one.
    agent: Option<String>,
    /// Makes it safe to send this again: a question with the same key is asked once. The header
    /// `Idempotency-Key` means the same, and wins.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    idempotency_key: Option<String>,
    /// The topic of the turn, as `namespace:name` or the name of a channel; by default the topic
    /// `user:` and the user.
    #[schema(
        min_length = 1,
        max_length = 250,
        pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"
    )]
    topic: Option<String>,
}

impl State {
    /// Reads a question, and decides on its user and topic: `given`, or else as the body has it.
    pub(crate) async fn question(
        &self,
        caller: &Caller,
        request: Request,
        given: Option<Topic>,
    ) -> Result<Ask, Error> {
        let in_header = key_in(request.headers())?;
        let body = JsonBody::read(request, self.0.config.max_body_size).await?;
        let question: QuestionBody = body.parse()?;
        let QuestionBody { user_id, message, text, agent, idempotency_key, topic } = question;
        let topic = topic.map(|name| Topic::from_channel(&name).map_err(Error::Topic)).transpose();
        let topic = given.map_or(topic, |given| Ok(Some(given)))?;
        let (user, topic) = self.user_and_topic(caller, user_id, topic)?;
        let text = match (message, text) {
            (Some(text), None) | (None, Some(text)) if !text.trim().is_empty() => text,
            _ => return Err(Error::Message),
        };
        let in_body = idempotency_key.as_deref().map(str::parse).transpose()?;
        let key = in_header.or(in_body);
        let agent = agent.map(Into::into);
        let holder = self.0.core.holder_for(&caller.principal, Some(&user), caller.peer.0);
        Ok(Ask { topic, user, holder, text: text.into(), agent, key, id: None })
    }

    /// The user who asks, and the topic of the turn.
    fn user_and_topic(
        &self,
        caller: &Caller,
        claimed: Option<String>,
        topic: Option<Topic>,
    ) -> Result<(Arc<str>, Topic), Error> {
        let known = caller.principal.user.clone();
        let user = known.or_else(|| claimed.map(Into::into)).ok_or(Error::NoUser)?;
        let own = user_topic(&user).map_err(Error::User)?;
        // A program whose token names no user may ask for each user whose topic it may write to.
        if !self.is_open() {
            caller.allow(Action::Write, &own)?;
        }
        let Some(topic) = topic else { return Ok((user, own)) };
        caller.allow(Action::Write, &topic)?;
        Ok((user, topic))
    }
}

fn key_in(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Error> {
    let values = headers.get_all(IdempotencyKey::HEADER).iter().map(HeaderValue::as_bytes);
    Ok(IdempotencyKey::from_header(values)?)
}

/// The id of a user, which some clients write as a number.
fn text_or_number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    struct UserIdVisitor;

    impl de::Visitor<'_> for UserIdVisitor {
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

        /// Some clients write 7 as `7.0`.
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

    value.deserialize_any(UserIdVisitor)
}
