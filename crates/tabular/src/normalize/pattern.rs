//! Replacing by pattern, with replacements as clients write them: `\1` and `\g<name>` are groups, and
//! `$` is only a dollar.
use regex::{Captures, Regex};

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    replacement: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn new(pattern: &str, replacement: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let replacement = parse(&regex, replacement)?;
        Ok(Self { regex, replacement })
    }

    pub(super) fn replace(&self, text: &str) -> String {
        let replaced = self.regex.replace_all(text, |found: &Captures<'_>| {
            let mut replaced = String::new();
            for part in &self.replacement {
                match part {
                    Part::Text(text) => replaced.push_str(text),
                    Part::Group(group) => {
                        replaced.push_str(found.get(*group).map_or("", |it| it.as_str()));
                    }
                }
            }
            replaced
        });
        replaced.into_owned()
    }
}

fn parse(regex: &Regex, replacement: &str) -> Result<Vec<Part>, String> {
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
                let more = rest.starts_with(|it: char| it.is_ascii_digit());
                let digits = after.get(..if more { 2 } else { 1 }).unwrap_or_default();
                rest = after.get(digits.len()..).unwrap_or_default();
                digits
            }
            'g' => {
                let named = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
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
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(Part::Group(group(regex, name)?));
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

fn group(regex: &Regex, name: &str) -> Result<usize, String> {
    let number = name.parse().ok().filter(|number| *number < regex.captures_len());
    let named = || regex.capture_names().position(|it| it == Some(name));
    number.or_else(named).ok_or_else(|| format!("invalid group reference {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(pattern: &str, replacement: &str, text: &str) -> Result<String, String> {
        Ok(Pattern::new(pattern, replacement)?.replace(text))
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
