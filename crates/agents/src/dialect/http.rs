//! `http`: a POST of JSON that is answered by JSON or by server-sent events.
//!
//! The names of the fields are those of a Django backend as in seed 003 unless the configuration
//! has others. Events are told apart by the fields of their data, as that backend's own client
//! does; of their names only `error`, `end` and `done` mean something.
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    reply::{self, Parts, Reader},
    upstream,
    web::{Trouble, Web},
};
use crate::{Agent, BadConfig, Code, Part, Question, Reply, Settings, sse::Event};

#[derive(Debug)]
pub(super) struct Http {
    web: Arc<Web>,
    message: String,
    /// The fields of who asks, and of the conversation; none where they are empty.
    user: String,
    session: String,
    body: Map<String, Value>,
    names: Names,
}

/// The names of an answer's fields.
#[derive(Clone, Debug)]
struct Names {
    token: Arc<str>,
    /// Of the whole text.
    reply: Arc<[String]>,
}

// === impl Http ===

impl Http {
    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, BadConfig> {
        let url = upstream::address(name, settings, &["http", "https"])?;
        let field = |key: &str, given: &Option<String>, default: &str, needed: bool| {
            let field = given.clone().unwrap_or_else(|| default.to_owned());
            if needed && field.is_empty() {
                let expected = "expected the name of a field".to_owned();
                return Err(BadConfig { key: format!("{name}.{key}"), expected });
            }
            Ok(field)
        };
        let message = field("message_field", &settings.message_field, "message", true)?;
        let user = field("user_field", &settings.user_field, "user_identifier", false)?;
        let session = field("session_field", &settings.session_field, "session_id", false)?;
        let token = field("token_field", &settings.token_field, "token", true)?;
        let reply = match field("reply_field", &settings.reply_field, "response", true)? {
            _ if settings.reply_field.is_none() => {
                vec!["response".to_owned(), "full_response".to_owned()]
            }
            reply => vec![reply],
        };
        let own = [&message, &user, &session].map(String::as_str);
        let own: Vec<_> = own.into_iter().filter(|it| !it.is_empty()).collect();
        Ok(Self {
            web: Web::open(name, settings, url)?,
            body: upstream::body(name, settings, &own)?,
            message,
            user,
            session,
            names: Names { token: token.into(), reply: reply.into() },
        })
    }

    fn body(&self, question: &Question) -> Value {
        let mut body = Map::new();
        body.insert("stream".to_owned(), true.into());
        body.insert(self.message.clone(), (*question.text).into());
        let who = [(&self.user, &*question.user), (&self.session, question.topic.as_str())];
        for (field, value) in who.into_iter().filter(|(field, _)| !field.is_empty()) {
            body.insert(field.clone(), value.into());
        }
        let mut body = Value::Object(body);
        upstream::add(&mut body, &self.body);
        body
    }
}

impl Agent for Http {
    fn ask(&self, question: Question) -> Reply {
        let body = self.body(&question).to_string().into_bytes();
        reply::reply(&self.web, body, self.names.clone())
    }
}

// === impl Names ===

impl Reader for Names {
    fn event(&mut self, event: &Event, parts: &mut Parts) -> Result<(), Trouble> {
        if event.data.trim() == "[DONE]" {
            parts.push_back(Part::End(None));
            return Ok(());
        }
        if event.kind == "error" {
            return Err(Trouble::new(Code::Upstream, &*event.data));
        }
        let fields = fields(event.data.as_bytes())?;
        if let Some(token) = text(&fields, &self.token)? {
            parts.push_back(Part::Text(token));
        }
        if let Some(reply) = self.reply(&fields)? {
            parts.push_back(Part::End(Some(reply)));
        } else if matches!(&*event.kind, "end" | "done") {
            parts.push_back(Part::End(None));
        }
        Ok(())
    }

    fn whole(&mut self, json: &[u8], parts: &mut Parts) -> Result<(), Trouble> {
        let Some(reply) = self.reply(&fields(json)?)? else {
            let said = format!("no field {:?} in the answer", self.reply.join("\" or \""));
            return Err(Trouble::new(Code::BadAnswer, said));
        };
        parts.push_back(Part::End(Some(reply)));
        Ok(())
    }
}

impl Names {
    fn reply(&self, fields: &Map<String, Value>) -> Result<Option<String>, Trouble> {
        for name in &*self.reply {
            if let Some(reply) = text(fields, name)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }
}

/// The fields of an object that is not about an error.
fn fields(json: &[u8]) -> Result<Map<String, Value>, Trouble> {
    let fields: Map<String, Value> = serde_json::from_slice(json)?;
    match fields.get("error") {
        None | Some(Value::Null) => Ok(fields),
        Some(error) => Err(Trouble::new(Code::Upstream, error.to_string())),
    }
}

/// The text in a field that may be missing or null.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Trouble> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Trouble::new(Code::BadAnswer, format!("the field {name:?} is not a text"))),
    }
}
