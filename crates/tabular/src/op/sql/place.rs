//! What may surround a placeholder, and how a value is written there so that it ends where it should.
use std::borrow::Cow;

use super::dialect::Database;

/// Why a text cannot stand between two tags.
const TAGGED: &str = "a text between two tags has neither its tag nor a $ at its ends, and does not \
                      end as the tag begins";

/// What surrounds a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A value of its own. After `E` or `U&` a backslash in it is none.
    Code { escapes: bool },
    /// Within quotes, of a text or a name. After a backslash that would take the first character
    /// away, if the next one is `pending`.
    Quoted { quote: char, escapes: bool, pending: bool },
    /// Within `[` and `]`, a name.
    Brackets,
    /// Within a comment up to the end of the line.
    Line,
    /// Within a comment, or within others.
    Block { depth: u32 },
    /// Within a text between two tags, as `$$`, after the text `before` of the template.
    Dollars { tag: String, before: String },
}

// === impl Place ===

impl Place {
    /// Write `text` after `line`, whatever it is, or say why it cannot stand here. In code it is a
    /// text with quotes.
    pub(super) fn write(
        &self,
        database: Database,
        text: &str,
        line: &mut String,
    ) -> Result<(), &'static str> {
        // As in a text: no database has it. A client may leave it out, too, and join what it parts.
        let text = &*match self {
            Self::Quoted { .. } | Self::Brackets | Self::Block { .. } | Self::Dollars { .. }
                if text.contains('\0') =>
            {
                Cow::Owned(text.replace('\0', ""))
            }
            _ => Cow::Borrowed(text),
        };
        match self {
            Self::Code { escapes } => {
                apart(line, '\'');
                // The database's own way knows of its backslashes.
                if *escapes && database == Database::Postgresql {
                    line.push_str(&database.text(&text.replace('\\', "\\\\")));
                } else {
                    line.push_str(&database.text(text));
                }
            }
            Self::Quoted { quote, escapes, pending } => {
                if *pending {
                    line.push('\\');
                }
                for character in text.chars() {
                    match character {
                        '\\' if *escapes => line.push('\\'),
                        it if it == *quote => line.push(it),
                        _ => {}
                    }
                    line.push(character);
                }
            }
            Self::Brackets if text.contains(']') => return Err("a name within [ ] has no ]"),
            Self::Brackets => line.push_str(text),
            Self::Line => line.extend(text.chars().map(|it| if ends_line(it) { ' ' } else { it })),
            Self::Block { .. } => {
                let edge = |it: Option<char>| it.is_none_or(|it| matches!(it, '*' | '/'));
                // A comment that begins so is none: it is run, or a hint.
                let is_told = text.starts_with(['!', '+']) || text.starts_with("M!");
                if edge(text.chars().next()) || is_told {
                    line.push(' ');
                }
                line.push_str(&text.replace("*/", "* /").replace("/*", "/ *"));
                if edge(text.chars().next_back()) {
                    line.push(' ');
                }
            }
            Self::Dollars { tag, before } => {
                let text = if text.is_empty() { " " } else { text };
                if text.starts_with('$') || closes(tag, &format!("{before}{text}")) {
                    return Err(TAGGED);
                }
                line.push_str(text);
            }
        }
        Ok(())
    }

    pub(super) fn is_code(&self) -> bool {
        matches!(self, Self::Code { .. })
    }
}

/// Whether `text` has the tag, or its end and what follows may make one.
fn closes(tag: &str, text: &str) -> bool {
    let begins = |at: usize| tag.get(..at).is_some_and(|it| text.ends_with(it));
    text.contains(tag) || (1..tag.len()).any(begins)
}

/// Keep a text or a value that begins with `first` from what comes before: two quotes would be one,
/// two signs a comment, and a sign would be part of an operator.
pub(super) fn apart(line: &mut String, first: char) {
    let joined = match first {
        '\'' => line.ends_with('\''),
        // After two signs space would make the comment, which they are not where code follows.
        '-' => (line.ends_with('-') && !line.ends_with("--")) || ends_open(line),
        _ => false,
    };
    if joined {
        line.push(' ');
    }
}

/// Whether `line` ends with an operator that `PostgreSQL` lets end with a sign.
fn ends_open(line: &str) -> bool {
    let operator = line.trim_end_matches(|it| "+-*/<>=~!@#%^&|`?".contains(it));
    let operator = line.strip_prefix(operator).unwrap_or_default();
    !operator.ends_with("--") && operator.contains(|it| "~!@#%^&|`?".contains(it))
}

fn ends_line(it: char) -> bool {
    it.is_control() || matches!(it, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_parts_nothing() {
        let write = |place: Place, text: &str| {
            let mut line = String::new();
            place.write(Database::Mysql, text, &mut line).map(|()| line)
        };
        assert_eq!(write(Place::Block { depth: 1 }, "*\0/ DROP"), Ok(" * / DROP".to_owned()));
        let quoted = Place::Quoted { quote: '`', escapes: false, pending: false };
        assert_eq!(write(quoted, "a\0`b"), Ok("a``b".to_owned()));
        assert_eq!(write(Place::Code { escapes: true }, "a\0"), Ok("'a\\0'".to_owned()));
        let dollars = Place::Dollars { tag: "$q$".to_owned(), before: String::new() };
        assert_eq!(write(dollars, "a$\0q$; DROP"), Err(TAGGED));
    }
}
