//! Bounds the data that an operation returns besides its file.
use std::{fs, io};

use serde_json::Value;

use crate::{
    error::{Error, TooMuch},
    limits::Limits,
    task::Outcome,
};

/// Most bytes of all warnings; the rest is only counted.
const MAX_WARNINGS: usize = 64 << 10;

/// Counts written bytes.
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

/// Returns the size of a value as JSON.
pub(crate) fn size(value: &Value) -> usize {
    let mut counter = Counter(0);
    // Neither the value nor the counter can fail.
    serde_json::to_writer(&mut counter, value).ok();
    counter.0
}

/// Returns the size of a text as JSON.
pub(crate) fn text(text: &str) -> usize {
    let mut counter = Counter(0);
    // Cannot fail either.
    serde_json::to_writer(&mut counter, text).ok();
    counter.0
}

/// Returns the outcome if its data is within `max_inline`; otherwise removes its file and fails.
/// The error says that `what` is too large and what to do `instead`.
pub(crate) fn bounded(
    mut outcome: Outcome,
    limits: &Limits,
    (what, instead): (&'static str, &'static str),
) -> Result<Outcome, Error> {
    if size(&outcome.data) > limits.max_inline {
        if let Some(path) = &outcome.file {
            // The caller removes the folder with its content.
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
    let kept = outcome.warnings.iter().take_while(fits).count();
    let more = outcome.warnings.len() - kept;
    if more > 0 {
        outcome.warnings.truncate(kept);
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
        let outcome = Outcome {
            file: None,
            rows: 0,
            data: Value::Null,
            warnings,
            complete: true,
            formulas: 0,
        };
        let bounded = bounded(outcome, &Limits::default(), ("it", "ask for less")).unwrap();
        assert_eq!(bounded.warnings.len(), 66);
        assert_eq!(bounded.warnings[65], "there are 35 more warnings");
    }
}
