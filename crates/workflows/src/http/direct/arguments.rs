//! The arguments of an operation, from the texts of a form.
use quadrille_core::json;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::super::error::Error;

/// A JSON object in the making. It is text, as the order of members counts.
#[derive(Debug, Default)]
pub(super) struct Arguments(String);

/// JSON that a text of the form holds, and how many members it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    pub(super) text: &'a str,
    pub(super) len: usize,
}

// === impl Arguments ===

impl Arguments {
    fn put(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    #[must_use]
    pub(super) fn json(self, name: &str, value: Option<Json<'_>>) -> Self {
        match value {
            Some(json) => self.put(name, json.text),
            None => self,
        }
    }

    #[must_use]
    pub(super) fn text(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(text) => self.put(name, &Value::from(text).to_string()),
            None => self,
        }
    }

    #[must_use]
    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.put(name, if value { "true" } else { "false" })
    }

    #[must_use]
    pub(super) fn number(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(number) => self.put(name, &number.to_string()),
            None => self,
        }
    }

    pub(super) fn done(self) -> String {
        let whole = if self.0.is_empty() { "{}".to_owned() } else { self.0 + "}" };
        json::without_halves(&whole).unwrap_or(whole)
    }
}

// === impl Json ===

impl<'a> Json<'a> {
    /// What the field `name` holds, which has to be a list.
    pub(super) fn list(name: &str, text: &'a str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Invalid(format!("{name} must be a valid JSON array: {why}"));
        let items: Vec<IgnoredAny> = read(text).map_err(|why| wrong(&why))?;
        Ok(Self { text, len: items.len() })
    }

    /// What the field `name` holds, which has to be an object.
    pub(super) fn object(name: &str, text: &'a str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Invalid(format!("Invalid {name} JSON: {why}"));
        let members: Map<String, Value> = read(text).map_err(|why| wrong(&why))?;
        Ok(Self { text, len: members.len() })
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if json::is_deep(text) {
        return Err(format!("nest at most {} levels", json::DEPTH));
    }
    json::read(text).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_the_order_of_the_form() {
        let mapping = Json::object("m", r#"{"b":1,"a":{}}"#).unwrap();
        let arguments = Arguments::default()
            .json("m", Some(mapping))
            .text("t", Some("a\"b"))
            .text("no", None)
            .flag("f", true)
            .number("n", Some(7));
        assert_eq!(arguments.done(), r#"{"m":{"b":1,"a":{}},"t":"a\"b","f":true,"n":7}"#);
        assert_eq!(Arguments::default().done(), "{}");
    }

    #[test]
    fn what_is_no_json_is_named() {
        let told = |result: Result<Json<'_>, Error>| result.unwrap_err().to_string();
        let list = |text| told(Json::list("columns", text));
        assert!(list("x").starts_with("columns must be a valid JSON array: expected value"));
        assert!(list("{}").contains("invalid type: map"));
        assert!(list("[1],\"evil\":[1]").contains("trailing characters"));
        assert!(list(&"[".repeat(500)).contains("nest at most"));
        assert!(told(Json::object("m", "[]")).starts_with("Invalid m JSON: invalid type"));
    }
}
