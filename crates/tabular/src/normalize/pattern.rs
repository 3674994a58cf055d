//! Replacement by pattern. In the replacement, `\1` and `\g<name>` are groups, and `$` is only a
//! dollar.
use regex::Regex;

use crate::{
    budget::ResultBudget,
    error::Error,
    patterns::{self, Patterns},
    progress::Meter,
};

#[derive(Clone, Debug)]
pub(super) struct Replacement {
    pattern: patterns::CellPattern,
    replacement: Vec<ReplacementPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ReplacementPart {
    Text(String),
    Group(usize),
}

// === impl Replacement ===

impl Replacement {
    pub(super) fn new(
        pattern: &str,
        replacement: &str,
        patterns: &mut Patterns,
    ) -> Result<Self, String> {
        let pattern = patterns.get(pattern)?;
        let replacement = parse(pattern.regex(), replacement)?;
        Ok(Self { pattern, replacement })
    }

    /// Replaces every match in `text`. The result may take all that is left of `budget`.
    pub(super) fn replace(
        &self,
        text: &str,
        budget: &ResultBudget,
        meter: &mut Meter<'_>,
    ) -> Result<String, Error> {
        let mut replaced = String::new();
        let mut end = 0;
        let groups =
            self.replacement.iter().any(|part| matches!(part, ReplacementPart::Group(1..)));
        self.pattern.matches(text, groups, meter, |from, to, found| {
            replaced.push_str(text.get(end..from).unwrap_or_default());
            end = to;
            for part in &self.replacement {
                replaced.push_str(match part {
                    ReplacementPart::Text(text) => text,
                    ReplacementPart::Group(0) => text.get(from..to).unwrap_or_default(),
                    ReplacementPart::Group(group) => {
                        found.and_then(|found| found.get(*group)).map_or("", |group| group.as_str())
                    }
                });
                budget.check(replaced.len())?;
            }
            Ok(())
        })?;
        replaced.push_str(text.get(end..).unwrap_or_default());
        Ok(replaced)
    }
}

fn parse(regex: &Regex, replacement: &str) -> Result<Vec<ReplacementPart>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut characters = after.chars();
        let first = characters.next().ok_or("the replacement ends with a backslash")?;
        rest = characters.as_str();
        let name = match first {
            'n' | 't' | 'r' | '\\' => {
                text.push(match first {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
                continue;
            }
            '1'..='9' => {
                let more = rest.starts_with(|c: char| c.is_ascii_digit());
                let digits = after.get(..if more { 2 } else { 1 }).unwrap_or_default();
                rest = after.get(digits.len()..).unwrap_or_default();
                digits
            }
            'g' => {
                let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
                let (name, end) = named.ok_or("after \\g comes the name of a group in <>")?;
                rest = end;
                name
            }
            other if other.is_ascii_alphanumeric() => {
                return Err(format!("bad escape \\{other} in the replacement"));
            }
            other => {
                text.extend(['\\', other]);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(ReplacementPart::Text(std::mem::take(&mut text)));
        }
        parts.push(ReplacementPart::Group(group(regex, name)?));
    }
    text.push_str(rest);
    parts.push(ReplacementPart::Text(text));
    Ok(parts)
}

fn group(regex: &Regex, name: &str) -> Result<usize, String> {
    let number = name.parse().ok().filter(|number| *number < regex.captures_len());
    let named = || regex.capture_names().position(|group| group == Some(name));
    number.or_else(named).ok_or_else(|| format!("invalid group reference {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn replace(pattern: &str, replacement: &str, text: &str) -> Result<String, String> {
        let pattern = Replacement::new(pattern, replacement, &mut Patterns::default())?;
        let limits = Limits { max_made: 100, ..Limits::default() };
        let mut watch = |_| std::ops::ControlFlow::Continue(());
        let mut meter = Meter::new(&mut watch, 1);
        pattern
            .replace(text, &ResultBudget::new(&limits), &mut meter)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn what_is_put_in_is_bounded() {
        assert_eq!(replace("a", r"\g<0>\g<0>", &"a".repeat(50)).unwrap(), "a".repeat(100));
        let refused = replace("a", r"\g<0>\g<0>", &"a".repeat(51)).unwrap_err();
        assert!(refused.contains("more than 100 bytes"), "{refused}");
    }

    #[test]
    fn groups_are_put_in_and_dollars_are_not() {
        assert_eq!(replace("(a)(?P<x>b)", r"\2\g<x>\g<1>$1", "ab").unwrap(), "bba$1");
        assert_eq!(replace("", "-", "abc").unwrap(), "-a-b-c-");
        assert_eq!(replace(r"\s+", r"\n\\", "a  b").unwrap(), "a\n\\b");
        assert_eq!(replace("(a)|b", r"[\1]", "ab").unwrap(), "[a][]");
    }

    #[test]
    fn bad_patterns_and_replacements_are_refused() {
        assert!(replace("(", "", "").is_err());
        assert_eq!(replace("a", r"\1", "").unwrap_err(), "invalid group reference 1");
        assert_eq!(replace("a", r"\q", "").unwrap_err(), "bad escape \\q in the replacement");
        assert!(replace("a", "\\", "").is_err());
    }
}
