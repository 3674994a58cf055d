//! Contexts of a placeholder in SQL, and how a value is written in each so that it cannot leave it.
use std::borrow::Cow;

use super::dialect::Database;

/// Error for a text that cannot stand between two dollar tags.
const TAG_ERROR: &str = "a text between two tags has neither its tag nor a $ at its ends, and does not \
                      end as the tag begins";

/// Context of a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SqlContext {
    /// In code, as a value of its own. With `escapes`, after `E` or `U&`, a backslash has to be
    /// doubled.
    Code { escapes: bool },
    /// In a quoted text or name. With `pending`, the template has a backslash before the
    /// placeholder.
    Quoted { quote: char, escapes: bool, pending: bool },
    /// In a name between `[` and `]`.
    Brackets,
    /// In a comment up to the end of the line.
    Line,
    /// In a comment, or in nested ones.
    Block { depth: u32 },
    /// In a text between two tags such as `$$`, after the text `before` of the template.
    Dollars { tag: String, before: String },
}

// === impl SqlContext ===

impl SqlContext {
    /// Appends `text` to `line`, whatever it contains, or returns the reason why it cannot stand
    /// here. In code it becomes a quoted text.
    pub(super) fn write(
        &self,
        database: Database,
        text: &str,
        line: &mut String,
    ) -> Result<(), &'static str> {
        // No database has texts with a zero character. A client might drop it and join the text
        // around it.
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
                separate(line, '\'');
                // The literals of the database escape its backslashes.
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
                        c if c == *quote => line.push(c),
                        _ => {}
                    }
                    line.push(character);
                }
            }
            Self::Brackets if text.contains(']') => return Err("a name within [ ] has no ]"),
            Self::Brackets => line.push_str(text),
            Self::Line => line.extend(text.chars().map(|c| if ends_line(c) { ' ' } else { c })),
            Self::Block { .. } => {
                let edge = |c: Option<char>| c.is_none_or(|c| matches!(c, '*' | '/'));
                // Such a comment is executed, or is a hint.
                let is_directive = text.starts_with(['!', '+']) || text.starts_with("M!");
                if edge(text.chars().next()) || is_directive {
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
                    return Err(TAG_ERROR);
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

/// Returns whether `text` contains the tag, or ends with a part of it.
fn closes(tag: &str, text: &str) -> bool {
    let begins = |at: usize| tag.get(..at).is_some_and(|begin| text.ends_with(begin));
    text.contains(tag) || (1..tag.len()).any(begins)
}

/// Inserts a space if `first` would merge with the end of `line`: two quotes would become one, two
/// signs a comment, and a sign part of an operator.
pub(super) fn separate(line: &mut String, first: char) {
    let joined = match first {
        '\'' => line.ends_with('\''),
        // After `--` a space would make a comment for MySQL, where code follows otherwise.
        '-' => (line.ends_with('-') && !line.ends_with("--")) || ends_with_operator(line),
        _ => false,
    };
    if joined {
        line.push(' ');
    }
}

/// Returns whether `line` ends with an operator that `PostgreSQL` lets end with a sign.
fn ends_with_operator(line: &str) -> bool {
    let operator = line.trim_end_matches(|c| "+-*/<>=~!@#%^&|`?".contains(c));
    let operator = line.strip_prefix(operator).unwrap_or_default();
    !operator.ends_with("--") && operator.contains(|c| "~!@#%^&|`?".contains(c))
}

fn ends_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_parts_nothing() {
        let write = |context: SqlContext, text: &str| {
            let mut line = String::new();
            context.write(Database::Mysql, text, &mut line).map(|()| line)
        };
        assert_eq!(write(SqlContext::Block { depth: 1 }, "*\0/ DROP"), Ok(" * / DROP".to_owned()));
        let quoted = SqlContext::Quoted { quote: '`', escapes: false, pending: false };
        assert_eq!(write(quoted, "a\0`b"), Ok("a``b".to_owned()));
        assert_eq!(write(SqlContext::Code { escapes: true }, "a\0"), Ok("'a\\0'".to_owned()));
        let dollars = SqlContext::Dollars { tag: "$q$".to_owned(), before: String::new() };
        assert_eq!(write(dollars, "a$\0q$; DROP"), Err(TAG_ERROR));
    }
}
