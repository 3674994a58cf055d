//! The fields of a body, be it JSON or a form.
use std::collections::HashMap;

use axum::extract::Request;
use futures_util::StreamExt;
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use quadrille_core::json;
use quadrille_edge::http::{
    JsonBody,
    form::{self, Form, FormBody, FormError},
};
use serde_json::{
    Number,
    value::{RawValue, Value},
};

use super::error::Error;

/// Bytes of a JSON body, and of a form, at most.
const BODY: usize = form::MAX_TEXT;

/// The members of a body, by name. Unknown ones are ignored, and `null` counts as missing.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<String, Field>);

#[derive(Debug)]
enum Field {
    /// Members of a JSON object.
    Json(Box<RawValue>),
    /// Fields of a form, all of them texts.
    Text(String),
}

/// The format of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Media {
    Nothing,
    Json,
    Urlencoded,
    /// A form of parts, with its boundary.
    Parts(String),
}

// === impl Media ===

impl Media {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let Some(media) = headers.get(CONTENT_TYPE) else {
            let has_length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
            let has_body = has_length || headers.contains_key(TRANSFER_ENCODING);
            return if has_body { Err(Error::Media) } else { Ok(Self::Nothing) };
        };
        let media = media.to_str().unwrap_or_default();
        match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Urlencoded),
            _ => form::boundary(headers)?.map(Self::Parts).ok_or(Error::Media),
        }
    }
}

// === impl Fields ===

impl Fields {
    /// Reads a body without files; at most `ignored` bytes of files in it are skipped.
    pub(super) async fn read(request: Request, ignored: u64) -> Result<Self, Error> {
        match Media::of(request.headers())? {
            Media::Nothing => Ok(Self::default()),
            Media::Json => Self::json(request).await,
            Media::Urlencoded => Self::urlencoded(request).await,
            Media::Parts(boundary) => {
                let mut source = FormBody::new(request.into_body());
                let read = Self::parts(Form::new(&mut source, boundary, ignored)).await;
                if read.is_err() {
                    source.drain(ignored).await;
                }
                read
            }
        }
    }

    async fn json(request: Request) -> Result<Self, Error> {
        let body = JsonBody::read(request, BODY).await?;
        // What some clients send when they have nothing to say.
        if body.text().trim().is_empty() {
            return Ok(Self::default());
        }
        let members: HashMap<String, Box<RawValue>> = body.parse()?;
        let given = members.into_iter().filter(|(_, value)| value.get() != "null");
        Ok(Self(given.map(|(name, value)| (name, Field::Json(value))).collect()))
    }

    async fn urlencoded(request: Request) -> Result<Self, Error> {
        let mut source = FormBody::new(request.into_body());
        let mut body = Vec::new();
        while let Some(bytes) = source.next().await {
            let bytes = bytes?;
            if body.len() + bytes.len() > BODY {
                source.drain(BODY as u64).await;
                return Err(FormError::TooLong(BODY).into());
            }
            body.extend_from_slice(&bytes);
            source.used();
        }
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(&body).into_owned() {
            fields.put(name, value);
        }
        Ok(fields)
    }

    async fn parts(mut form: Form<'_>) -> Result<Self, Error> {
        let mut fields = Self::default();
        while let Some(part) = form.next().await? {
            match part.name() {
                Some(name) if part.file_name().is_none() => {
                    let name = name.to_owned();
                    fields.put(name, form.text(part).await?);
                }
                _ => form.skip(part).await?,
            }
        }
        Ok(fields)
    }

    /// Adds a field of a form. Of two with one name the first counts.
    pub(super) fn put(&mut self, name: String, text: String) {
        self.0.entry(name).or_insert(Field::Text(text));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of a member; of a form, a text.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        match self.0.get(name)? {
            Field::Json(raw) => json::read(raw.get()).ok(),
            Field::Text(text) => Some(Value::String(text.clone())),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::Field { name, expected: "a text" }),
        }
    }

    /// A name, which some clients send as a number.
    pub(super) fn name(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.value(name) {
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            None => Ok(None),
            Some(_) => Err(Error::Field { name, expected: "a text or a number" }),
        }
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if text == "true" || text == "1" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" || text == "0" => Ok(Some(false)),
            Some(_) => Err(Error::Field { name, expected: "true or false" }),
        }
    }

    /// The id of the conversation. Anything but a number names none that exists.
    pub(super) fn conversation(&self) -> Result<Option<i64>, Error> {
        const NAME: &str = "conversation_id";
        let wrong = || Error::Field { name: NAME, expected: "a whole number" };
        let number = match self.value(NAME) {
            None => return Ok(None),
            Some(Value::Number(number)) => digits(&number).ok_or_else(wrong)?,
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => return Err(wrong()),
        };
        let digits = number.strip_prefix('-').unwrap_or(&number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let id = number.parse().ok().filter(|id: &i64| *id >= 0);
        id.map(Some).ok_or(Error::NoConversation)
    }

    /// The JSON of a member, as it was sent.
    pub(super) fn json_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Field::Json(raw)) => Ok(Some(whole(raw.get()))),
            Some(Field::Text(text)) if text.trim().is_empty() => Ok(None),
            Some(Field::Text(text)) => {
                let good = !json::is_deep(text) && serde_json::from_str::<&RawValue>(text).is_ok();
                let given = (text.trim() != "null").then(|| whole(text));
                if good { Ok(given) } else { Err(Error::Field { name, expected: "JSON" }) }
            }
        }
    }
}

/// Checks JSON that is stored, and so read by other clients later.
fn whole(json: &str) -> String {
    json::without_halves(json).unwrap_or_else(|| json.to_owned())
}

/// The digits of a whole number, which some clients write as `7.0`.
fn digits(number: &Number) -> Option<String> {
    match number.as_f64().filter(|_| number.is_f64()) {
        None => Some(number.to_string()),
        Some(number) => (number.fract() == 0.0).then(|| format!("{number:.0}")),
    }
}

#[cfg(test)]
mod tests;
