//! `http`: a POST of JSON that is answered by JSON or by server-sent events.
//!
//! The names of the fields are those of a Django backend as in seed 003 unless the configuration
//! has others. Events are told apart by the fields of their data, as that backend's own client
//! does; of their names only `error`, `end` and `done` mean something.
use std::sync::Arc;

use serde_json::{Map, Value};

use self::extras::Extras;
use super::{
    fault,
    reply::{self, Parts, Reader, ReplyProgress},
    upstream,
    web::{Trouble, Web},
};
use crate::{
    Agent, BadConfig, Code, Given, Part, Question, Reply, Settings,
    lenient::{Document, Halves, Json},
    sse::SseEvent,
};

mod extras;

#[derive(Debug)]
pub(super) struct Http {
    web: Arc<Web>,
    message: String,
    /// The fields for the user and the conversation; omitted if empty.
    user: String,
    session: String,
    body: Map<String, Value>,
    names: Names,
}

/// The names of an answer's fields.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) token: Arc<str>,
    /// Names of the whole text, in order of preference.
    pub(super) reply: Arc<[String]>,
}

/// The state of reading one answer.
#[derive(Debug)]
pub(super) struct HttpReader {
    names: Names,
    halves: Halves,
    extras: Extras,
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
        let own: Vec<_> = own.into_iter().filter(|name| !name.is_empty()).collect();
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
        let ids = [(&self.user, &*question.user), (&self.session, question.topic.as_str())];
        for (field, value) in ids.into_iter().filter(|(field, _)| !field.is_empty()) {
            body.insert(field.clone(), value.into());
        }
        let mut body = Value::Object(body);
        upstream::add(&mut body, &self.body, &question.given);
        // By the backend's own names. The client's values win over the configuration's.
        let Given { image, level, .. } = &question.given;
        for (field, value) in [("intelligence_level", level), ("image", image)] {
            if let Some(value) = value.as_deref() {
                body[field] = value.into();
            }
        }
        body
    }
}

impl Agent for Http {
    fn ask(&self, question: Question) -> Reply {
        let body = self.body(&question).to_string().into_bytes();
        let reader = HttpReader::new(self.names.clone());
        reply::reply(&self.web, body, reader)
    }
}

// === impl Names ===

impl Names {
    /// `name`, or no name if that of the text is the same.
    fn unless_text<'n>(&self, name: &'n str) -> &'n str {
        let is_text = *self.token == *name || self.reply.iter().any(|reply| reply == name);
        if is_text { "" } else { name }
    }

    /// The whole text, if the answer has it.
    fn reply(&self, fields: Json<'_>) -> Result<Option<String>, Trouble> {
        let told = self.reply.iter().map(|name| (name, fields.get(name)));
        match told.into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(None),
            Some((name, value)) => value.text().map(Some).ok_or_else(|| no_text(name)),
        }
    }
}

// === impl HttpReader ===

impl HttpReader {
    pub(super) fn new(names: Names) -> Self {
        Self { names, halves: Halves::default(), extras: Extras::default() }
    }
}

impl Reader for HttpReader {
    fn event(&mut self, event: &SseEvent, parts: &mut Parts) -> Result<(), Trouble> {
        if event.kind == "error" {
            return Err(fault::event(&event.data));
        }
        let is_end = matches!(&*event.kind, "end" | "done");
        if event.data.trim_start().starts_with("[DONE]") || event.data.trim().is_empty() {
            return self.end(parts);
        }
        let document = match Document::read(&event.data) {
            Err(_) if is_end => return self.end(parts),
            read => read?,
        };
        let fields = document.root();
        if !fields.is_object() {
            fault::of_another_shape(fields)?;
            return Err(Trouble::new(Code::BadAnswer, "an event that is no object"));
        }
        fault::named(fields)?;
        let token = fields.get(&self.names.token);
        let reply = self.names.reply(fields)?;
        self.extras.read(fields, &self.names, parts);
        match token.words() {
            Some(words) => parts.push_back(Part::Text(self.halves.join(&words))),
            None if token.is_set() && token.raw() != "true" => {
                return Err(no_text(&self.names.token));
            }
            None if reply.is_none() => fault::of_another_shape(fields)?,
            None => {}
        }
        if reply.is_some() {
            self.extras.end(parts);
            parts.push_back(Part::End(reply));
        } else if is_end {
            self.end(parts)?;
        }
        Ok(())
    }

    fn whole(&mut self, json: &str, parts: &mut Parts) -> Result<(), Trouble> {
        let document = Document::read(json)?;
        fault::named(document.root())?;
        let Some(reply) = self.names.reply(document.root())? else {
            fault::of_another_shape(document.root())?;
            let said = format!("no field {:?} in the answer", self.names.reply.join("\" or \""));
            return Err(Trouble::new(Code::BadAnswer, said));
        };
        self.extras.read(document.root(), &self.names, parts);
        self.extras.end(parts);
        parts.push_back(Part::End(Some(reply)));
        Ok(())
    }

    fn end(&mut self, parts: &mut Parts) -> Result<(), Trouble> {
        self.extras.end(parts);
        parts.extend(self.halves.end().map(|half| Part::Text(half.into())));
        parts.push_back(Part::End(None));
        Ok(())
    }

    fn progress(&self) -> ReplyProgress {
        ReplyProgress::Open
    }

    fn ends(&self, kind: &str) -> bool {
        matches!(kind, "error" | "end" | "done")
    }
}

fn no_text(name: &str) -> Trouble {
    Trouble::new(Code::BadAnswer, format!("the field {name:?} is not a text"))
}
