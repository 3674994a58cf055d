//! Finds the context of each placeholder in a statement.
use super::{context::SqlContext, dialect::Database};

/// Tracks the context while a template is read.
#[derive(Debug)]
pub(super) struct Scanner {
    database: Database,
    context: SqlContext,
    /// The preceding characters of the template, as far as they matter.
    before: String,
    /// The last closed text, if it may continue.
    closed: Option<Closed>,
    /// Whether it is within a versioned comment of `MySQL`, which is code.
    is_version: bool,
}

/// A quoted text that has ended, unless another quote continues it.
#[derive(Clone, Copy, Debug)]
struct Closed {
    quote: char,
    escapes: bool,
    gap: QuoteGap,
}

/// White space after the closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QuoteGap {
    Nothing,
    /// Space, or a comment up to the end of the line.
    Space,
    /// Space with a line break.
    Line,
}

const CODE: SqlContext = SqlContext::Code { escapes: false };

// === impl Scanner ===

impl Scanner {
    pub(super) fn new(database: Database) -> Self {
        Self { database, context: CODE, before: String::new(), closed: None, is_version: false }
    }

    /// Returns the context of the next placeholder.
    pub(super) fn context(&self) -> SqlContext {
        match &self.context {
            SqlContext::Code { .. } => {
                let joined = self.closed.filter(|closed| closed.is_joined(self.database));
                SqlContext::Code {
                    escapes: joined.map_or_else(|| self.is_escaped(), |closed| closed.escapes),
                }
            }
            context => context.clone(),
        }
    }

    /// Skips a placeholder.
    pub(super) fn value(&mut self) {
        // A text in code may continue on the next line like any other. A quote right after it is
        // separated from it.
        self.closed = match self.context() {
            SqlContext::Code { escapes } => {
                Some(Closed { quote: '\'', escapes, gap: QuoteGap::Space })
            }
            SqlContext::Line => self.closed,
            _ => None,
        };
        self.before.clear();
        match &mut self.context {
            SqlContext::Quoted { pending, .. } => *pending = false,
            SqlContext::Dollars { before, .. } => before.clear(),
            _ => {}
        }
    }

    /// Returns whether the template ends within something that has to be closed.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.context, SqlContext::Code { .. } | SqlContext::Line)
    }

    /// Reads `text` of the template.
    pub(super) fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let taken = self.take(character, rest);
            let (taken, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
            self.before.push_str(taken);
            rest = after;
        }
    }

    /// Reads a character, or several that belong together. Returns their bytes.
    fn take(&mut self, character: char, rest: &str) -> usize {
        let one = character.len_utf8();
        let database = self.database;
        match &mut self.context {
            SqlContext::Code { .. } => return self.code(character, rest),
            SqlContext::Quoted { escapes: true, pending, .. } if *pending => *pending = false,
            SqlContext::Quoted { escapes: true, pending, .. } if character == '\\' => {
                *pending = true;
            }
            SqlContext::Quoted { quote, escapes, .. } if *quote == character => {
                let (quote, escapes) = (*quote, *escapes);
                self.closed = Some(Closed { quote, escapes, gap: QuoteGap::Nothing });
                self.context = CODE;
            }
            SqlContext::Brackets if character == ']' => self.context = CODE,
            SqlContext::Line if database.ends_comment(character) => {
                self.closed = self.closed.and_then(|closed| closed.after(character));
                self.context = CODE;
            }
            SqlContext::Block { depth } if rest.starts_with("*/") => {
                *depth -= 1;
                if *depth == 0 {
                    self.context = CODE;
                }
                return 2;
            }
            // Only PostgreSQL nests comments.
            SqlContext::Block { depth }
                if rest.starts_with("/*") && database == Database::Postgresql =>
            {
                *depth += 1;
                return 2;
            }
            SqlContext::Dollars { tag, .. } if rest.starts_with(tag.as_str()) => {
                let len = tag.len();
                self.context = CODE;
                return len;
            }
            SqlContext::Dollars { before, .. } => before.push(character),
            _ => {}
        }
        one
    }

    fn code(&mut self, character: char, rest: &str) -> usize {
        let mysql = self.database == Database::Mysql;
        let quoted = |quote, escapes| SqlContext::Quoted { quote, escapes, pending: false };
        let closed = self.closed.take();
        if let Some(escapes) = closed.and_then(|closed| closed.resumed(character, self.database)) {
            self.context = quoted(character, escapes);
            return character.len_utf8();
        }
        self.closed = closed.and_then(|closed| closed.after(character));
        match character {
            '\'' => self.context = quoted('\'', mysql || self.is_escaped()),
            '"' => self.context = quoted('"', mysql),
            '`' if self.database != Database::Postgresql => self.context = quoted('`', false),
            '[' if self.database == Database::Sqlite => self.context = SqlContext::Brackets,
            '#' if mysql => self.context = SqlContext::Line,
            '-' if rest.starts_with("--") => {
                // Where MySQL sees no comment, this is a sign, and the next one may begin a
                // comment.
                let next = rest.chars().nth(2);
                let blank =
                    next.is_some_and(|next| next.is_ascii_whitespace() || next.is_ascii_control());
                if !mysql || blank {
                    self.closed = closed.and_then(|closed| closed.after(' '));
                    self.context = SqlContext::Line;
                    return 2;
                }
            }
            // A versioned comment is code.
            '/' if mysql && (rest.starts_with("/*!") || rest.starts_with("/*M!")) => {
                self.is_version = true;
                return 2;
            }
            '*' if self.is_version && rest.starts_with("*/") => {
                self.is_version = false;
                return 2;
            }
            '/' if rest.starts_with("/*") => {
                self.context = SqlContext::Block { depth: 1 };
                return 2;
            }
            '$' if self.database == Database::Postgresql && !self.is_word() => {
                if let Some(tag) = tag(rest) {
                    self.context =
                        SqlContext::Dollars { tag: tag.to_owned(), before: String::new() };
                    return tag.len();
                }
            }
            _ => {}
        }
        character.len_utf8()
    }

    /// Returns whether the preceding characters give the next text backslash escapes.
    fn is_escaped(&self) -> bool {
        if self.database == Database::Mysql {
            return true;
        }
        let before = self.before.as_str();
        let prefix = before.strip_suffix(['e', 'E']);
        let prefix = prefix.or_else(|| before.strip_suffix("u&"));
        let prefix = prefix.or_else(|| before.strip_suffix("U&"));
        self.database == Database::Postgresql
            && prefix.is_some_and(|prefix| !prefix.ends_with(is_of_name))
    }

    /// Returns whether a name or a number precedes, which a dollar would belong to.
    fn is_word(&self) -> bool {
        self.before.ends_with(is_of_name)
    }
}

// === impl Closed ===

impl Closed {
    /// Returns whether a following quote continues the text. `PostgreSQL` joins texts across a line
    /// break.
    fn is_joined(self, database: Database) -> bool {
        database == Database::Postgresql && self.quote == '\'' && self.gap == QuoteGap::Line
    }

    /// Returns whether the text that continues with `quote` has escapes; `None` if it does not
    /// continue. A doubled quote is part of the text.
    fn resumed(self, quote: char, database: Database) -> Option<bool> {
        let goes_on = self.gap == QuoteGap::Nothing || self.is_joined(database);
        (self.quote == quote && goes_on).then_some(self.escapes)
    }

    /// Returns the state after `character`, if the text may still continue.
    fn after(self, character: char) -> Option<Self> {
        let gap = match character {
            '\n' | '\r' => QuoteGap::Line,
            ' ' | '\t' | '\x0b' | '\x0c' if self.gap == QuoteGap::Nothing => QuoteGap::Space,
            ' ' | '\t' | '\x0b' | '\x0c' => self.gap,
            _ => return None,
        };
        Some(Self { gap, ..self })
    }
}

/// Returns whether `PostgreSQL` allows `c` in a name. Every character beyond ASCII counts as a
/// letter.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || c == '_' || c == '$'
}

/// Returns the dollar tag at the start of `text`.
fn tag(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('$')?;
    let end = inside.find('$')?;
    let name = inside.get(..end)?;
    let plain = name.chars().all(is_of_name);
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    (plain && !digit).then(|| text.get(..end + 2))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(database: Database, before: &str) -> SqlContext {
        let mut scanner = Scanner::new(database);
        scanner.text(before);
        scanner.context()
    }

    fn quoted(quote: char, escapes: bool) -> SqlContext {
        SqlContext::Quoted { quote, escapes, pending: false }
    }

    #[test]
    fn places_are_told_apart() {
        use Database::{Mysql, Postgresql, Sqlite};
        let code = |escapes| SqlContext::Code { escapes };
        let dollars = |tag: &str, before: &str| SqlContext::Dollars {
            tag: tag.to_owned(),
            before: before.to_owned(),
        };
        let cases = [
            (Postgresql, "SELECT ", code(false)),
            (Postgresql, "'it''s ", quoted('\'', false)),
            (Postgresql, "'it''s' ", code(false)),
            (Postgresql, "E'a\\' ", quoted('\'', true)),
            (Postgresql, "'a\\' ", code(false)),
            (Postgresql, "SELECT E", code(true)),
            (Postgresql, "TABLE", code(false)),
            (Postgresql, "U&", code(true)),
            (Postgresql, "\"", quoted('"', false)),
            (Postgresql, "\"a\"\" '", quoted('"', false)),
            (Postgresql, "`", code(false)),
            (Postgresql, "a -- it's ", SqlContext::Line),
            (Postgresql, "a -- it's \n ", code(false)),
            (Postgresql, "a /* /* */ ", SqlContext::Block { depth: 1 }),
            (Postgresql, "a /* /* */ */", code(false)),
            (Postgresql, "a # ", code(false)),
            (Postgresql, "$$ it's ", dollars("$$", " it's ")),
            (Postgresql, "$q$ $$ ", dollars("$q$", " $$ ")),
            (Postgresql, "$\u{2603}$", dollars("$\u{2603}$", "")),
            (Postgresql, "E'a'\n", code(true)),
            (Postgresql, "E'a' -- it's\r\t", code(true)),
            (Postgresql, "E'a'\n'", quoted('\'', true)),
            (Postgresql, "E'a'\n'b' --\n'c\\'", quoted('\'', true)),
            (Postgresql, "E'a' '", quoted('\'', false)),
            (Postgresql, "E'a', \n '", quoted('\'', false)),
            (Postgresql, "E'a' /* */\n'", quoted('\'', false)),
            (Postgresql, "'a'\n'", quoted('\'', false)),
            (Postgresql, "'a'\n\"", quoted('"', false)),
            (Postgresql, "-- a\r ", code(false)),
            (Postgresql, "$q$ $$ $q$", code(false)),
            (Postgresql, "$1 + a$b$ ", code(false)),
            (Postgresql, "ARRAY[", code(false)),
            (Mysql, "'a\\' ", quoted('\'', true)),
            (Mysql, "\"a' ", quoted('"', true)),
            (Mysql, "`a\\` ", code(true)),
            (Mysql, "`", quoted('`', false)),
            (Mysql, "a --", code(true)),
            (Mysql, "a -- ", SqlContext::Line),
            (Mysql, "a --- ", SqlContext::Line),
            (Mysql, "a --\u{a0}", code(true)),
            (Mysql, "a -- \r", SqlContext::Line),
            (Mysql, "a # \r", SqlContext::Line),
            (Mysql, "a # \r\n", code(true)),
            (Mysql, "/*!50000 a */* ", code(true)),
            (Mysql, "a */* ", SqlContext::Block { depth: 1 }),
            (Mysql, "a # ", SqlContext::Line),
            (Mysql, "/* a /* */", code(true)),
            (Mysql, "/*!50000 ", code(true)),
            (Mysql, "$$", code(true)),
            (Sqlite, "[a", SqlContext::Brackets),
            (Sqlite, "[a] ", code(false)),
            (Sqlite, "'a\\' ", code(false)),
            (Sqlite, "`", quoted('`', false)),
            (Sqlite, "/* /* */ ", code(false)),
            (Sqlite, "--", SqlContext::Line),
            (Sqlite, "-- a\r", SqlContext::Line),
            (Sqlite, "-- a\r\n", code(false)),
        ];
        for (database, before, right) in cases {
            assert_eq!(context(database, before), right, "{database:?} {before:?}");
        }
        let mut scanner = Scanner::new(Mysql);
        scanner.text("'a\\");
        assert_eq!(
            scanner.context(),
            SqlContext::Quoted { quote: '\'', escapes: true, pending: true }
        );
        scanner.value();
        scanner.text("'");
        assert!(!scanner.is_open());
    }
}
