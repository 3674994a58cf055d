//! How much an operation says besides its file.
use std::{fs, io};

use serde_json::Value;

use crate::{
    error::{Error, TooMuch},
    limits::Limits,
    operation::Outcome,
};

/// Bytes of all warnings, at most; of more it is said how many they are.
const MAX_WARNINGS: usize = 64 << 10;

/// Counts what is written.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of a value as JSON.
pub(crate) fn size(value: &Value) -> usize {
    let mut counter = Counter(0);
    // A value can always be written, and the counter takes everything.
    serde_json::to_writer(&mut counter, value).ok();
    counter.0
}

/// Bytes of a text as JSON.
pub(crate) fn text(text: &str) -> usize {
    let mut counter = Counter(0);
    // As above.
    serde_json::to_writer(&mut counter, text).ok();
    counter.0
}

/// What an operation made, if it says no more than it may; otherwise there is no file either.
/// `what` takes too much then, and `instead` is what to do.
pub(crate) fn bounded(
    mut outcome: Outcome,
    limits: &Limits,
    (what, instead): (&'static str, &'static str),
) -> Result<Outcome, Error> {
    if size(&outcome.data) > limits.max_inline {
        if let Some(path) = &outcome.file {
            // The folder is its caller's, and goes with what is in it.
            fs::remove_file(path).ok();
        }
        return Err(TooMuch::Held { what, most: limits.max_inline, instead }.into());
    }
    let mut left = MAX_WARNINGS;
    let fits = |warning: &&String| {
        let fits = warning.len() <= left;
        left = left.saturating_sub(warning.len());
        fits
    };
    let told = outcome.warnings.iter().take_while(fits).count();
    let more = outcome.warnings.len() - told;
    if more > 0 {
        outcome.warnings.truncate(told);
        outcome.warnings.push(format!("there are {more} more warnings"));
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_measured_as_it_is_written() {
        for value in [json!(null), json!({"a\n\u{1}": [1, 2.5, "grün \u{1f600}"]})] {
            assert_eq!(size(&value), value.to_string().len(), "{value}");
        }
        assert_eq!(text("\u{1}\""), 10);
    }

    #[test]
    fn many_warnings_are_counted_and_not_told() {
        let warnings = vec!["x".repeat(1000); 100];
        let outcome = Outcome { file: None, rows: 0, data: Value::Null, warnings, complete: true };
        let bounded = bounded(outcome, &Limits::default(), ("it", "ask for less")).unwrap();
        assert_eq!(bounded.warnings.len(), 66);
        assert_eq!(bounded.warnings[65], "there are 35 more warnings");
    }
}
