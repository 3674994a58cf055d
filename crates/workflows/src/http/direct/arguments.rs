//! Builds the arguments of an operation from the texts of a form.
use quadrille_core::json;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::super::error::Error;

/// Builds a JSON object as text, since the order of members counts.
#[derive(Debug, Default)]
pub(super) struct ArgumentsBuilder(String);

/// JSON of a form's text, and its number of members.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonField<'a> {
    pub(super) text: &'a str,
    pub(super) len: usize,
}

// === impl ArgumentsBuilder ===

impl ArgumentsBuilder {
    fn put(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    #[must_use]
    pub(super) fn json(self, name: &str, value: Option<JsonField<'_>>) -> Self {
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

// === impl JsonField ===

impl<'a> JsonField<'a> {
    /// Reads the field `name`, a list.
    pub(super) fn list(name: &str, text: &'a str) -> Result<Self, Error> {
        let wrong =
            |reason: &str| Error::Invalid(format!("{name} must be a valid JSON array: {reason}"));
        let items: Vec<IgnoredAny> = read(text).map_err(|err| wrong(&err))?;
        Ok(Self { text, len: items.len() })
    }

    /// Reads the field `name`, an object.
    pub(super) fn object(name: &str, text: &'a str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Invalid(format!("Invalid {name} JSON: {reason}"));
        let members: Map<String, Value> = read(text).map_err(|err| wrong(&err))?;
        Ok(Self { text, len: members.len() })
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if json::is_deep(text) {
        return Err(format!("nest at most {} levels", json::DEPTH));
    }
    json::read(text).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_the_order_of_the_form() {
        let mapping = JsonField::object("m", r#"{"b":1,"a":{}}"#).unwrap();
        let arguments = ArgumentsBuilder::default()
            .json("m", Some(mapping))
            .text("t", Some("a\"b"))
            .text("no", None)
            .flag("f", true)
            .number("n", Some(7));
        assert_eq!(arguments.done(), r#"{"m":{"b":1,"a":{}},"t":"a\"b","f":true,"n":7}"#);
        assert_eq!(ArgumentsBuilder::default().done(), "{}");
    }

    #[test]
    fn what_is_no_json_is_named() {
        let message = |result: Result<JsonField<'_>, Error>| result.unwrap_err().to_string();
        let list = |text| message(JsonField::list("columns", text));
        assert!(list("x").starts_with("columns must be a valid JSON array: expected value"));
        assert!(list("{}").contains("invalid type: map"));
        assert!(list("[1],\"evil\":[1]").contains("trailing characters"));
        assert!(list(&"[".repeat(500)).contains("nest at most"));
        assert!(message(JsonField::object("m", "[]")).starts_with("Invalid m JSON: invalid type"));
    }
}
