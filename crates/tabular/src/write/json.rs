//! Writes a table as an array of objects, in ASCII.
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use super::written::Written;
use crate::{
    cell::{Cell, float_text},
    error::Error,
    output::Output,
};

#[derive(Debug)]
pub(crate) struct Writer {
    output: Output,
    /// Names of the columns as JSON.
    keys: Vec<String>,
    rows: u64,
}

// === impl Writer ===

impl Writer {
    pub(super) fn begin(output: Output, columns: &[String]) -> Result<Self, Error> {
        let keys = columns.iter().map(|name| {
            let mut key = String::new();
            quote(name, &mut key);
            key
        });
        let mut writer = Self { output, keys: keys.collect(), rows: 0 };
        writer.write("[\n")?;
        Ok(writer)
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        let written: io::Result<()> = self.output.write_all(text.as_bytes());
        written.map_err(|source| self.output.failed(source))
    }

    pub(super) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        let mut text = String::from(if self.rows == 0 { "  {" } else { ",\n  {" });
        for (at, (key, cell)) in self.keys.iter().zip(row).enumerate() {
            text.push_str(if at == 0 { "\n    " } else { ",\n    " });
            text.push_str(key);
            text.push(':');
            value(cell, &mut text);
        }
        text.push_str("\n  }");
        self.rows += 1;
        self.write(&text)
    }

    pub(super) fn finish(mut self) -> Result<Written, Error> {
        self.write("\n]")?;
        Ok(Written {
            path: self.output.finish()?,
            rows: self.rows,
            warnings: Vec::new(),
            formulas: 0,
        })
    }
}

fn value(cell: &Cell, json: &mut String) {
    match cell {
        Cell::Text(text) => quote(text, json),
        Cell::Int(number) => json.push_str(&number.to_string()),
        Cell::Float(number) if number.is_finite() => json.push_str(&float_text(*number)),
        Cell::Missing | Cell::Float(_) => json.push_str("null"),
        Cell::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
    }
}

fn quote(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '/' => json.push_str("\\/"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='~' => json.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(json, "\\u{unit:04x}").expect("a string takes all that is written");
                }
            }
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_ascii() {
        let mut json = String::new();
        quote("a/b \"é\" \u{1f600}\u{1}\n", &mut json);
        assert_eq!(json, r#""a\/b \"\u00e9\" \ud83d\ude00\u0001\n""#);
    }
}
