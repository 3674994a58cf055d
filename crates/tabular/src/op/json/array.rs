//! Writes a list of JSON values.
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

use crate::{
    error::Error,
    json::{Layout, OrderedJson},
    output::Output,
};

#[derive(Debug)]
pub(super) struct Array {
    output: Output,
    layout: Layout,
    wrap: Wrap,
    /// The first value, as long as it may be the only one.
    first: Option<OrderedJson>,
    count: u64,
}

/// Structure around the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    Array,
    /// A single value stands alone; without values it is an empty object.
    None,
    /// A single value stands alone; without values it is an empty array.
    Single,
    /// An object with the values and their count; without values it is an empty array.
    Nested,
}

// === impl Array ===

impl Array {
    pub(super) fn new(output: Output, layout: Layout, wrap: Wrap) -> Self {
        Self { output, layout, wrap, first: None, count: 0 }
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        let written: io::Result<()> = self.output.write_all(text.as_bytes());
        written.map_err(|source| self.output.failed(source))
    }

    /// Returns the nesting depth of the values.
    fn depth(&self) -> usize {
        if self.wrap == Wrap::Nested { 2 } else { 1 }
    }

    pub(super) fn push(&mut self, value: &OrderedJson) -> Result<(), Error> {
        self.count += 1;
        if self.count == 1 && matches!(self.wrap, Wrap::None | Wrap::Single) {
            self.first = Some(value.clone());
            return Ok(());
        }
        let mut text = String::new();
        if let Some(first) = self.first.take() {
            self.open(&mut text);
            self.item(&first, true, &mut text);
        } else if self.count == 1 {
            self.open(&mut text);
        }
        self.item(value, self.count == 1, &mut text);
        self.write(&text)
    }

    fn open(&self, text: &mut String) {
        if self.wrap == Wrap::Nested {
            text.push('{');
            self.layout.step(true, 1, text);
            text.push_str("\"items\": ");
        }
        text.push('[');
    }

    fn item(&self, value: &OrderedJson, first: bool, text: &mut String) {
        if !first {
            text.push(',');
        }
        self.layout.step(first, self.depth(), text);
        value.print(self.layout, self.depth(), text);
    }

    /// Completes the file, and returns the number of its values.
    pub(super) fn finish(mut self) -> Result<(PathBuf, u64), Error> {
        let mut text = String::new();
        match (self.count, self.first.take()) {
            (0, _) => text.push_str(if self.wrap == Wrap::None { "{}" } else { "[]" }),
            (_, Some(only)) => only.print(self.layout, 0, &mut text),
            (count, None) => {
                self.layout.step(true, self.depth() - 1, &mut text);
                text.push(']');
                if self.wrap == Wrap::Nested {
                    text.push(',');
                    self.layout.step(false, 1, &mut text);
                    write!(text, "\"count\": {count}").expect("a string takes all that is written");
                    self.layout.step(true, 0, &mut text);
                    text.push('}');
                }
            }
        }
        self.write(&text)?;
        Ok((self.output.finish()?, self.count))
    }
}
