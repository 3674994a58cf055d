//! Where in a statement a placeholder stands.
use super::{dialect::Database, place::Place};

/// Follows a statement.
#[derive(Debug)]
pub(super) struct Scanner {
    database: Database,
    place: Place,
    /// The characters before, as far as they decide: those of the template alone.
    before: String,
    /// The text that was closed last, if it may still go on.
    closed: Option<Closed>,
    /// Within a comment of `MySQL` that is code for some versions.
    is_version: bool,
}

/// A quoted text that has ended, unless another quote opens it again.
#[derive(Clone, Copy, Debug)]
struct Closed {
    quote: char,
    escapes: bool,
    gap: Gap,
}

/// What came after the last quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    Nothing,
    /// Space, or a comment up to the end of the line.
    Space,
    /// Such space with the end of a line.
    Line,
}

const CODE: Place = Place::Code { escapes: false };

// === impl Scanner ===

impl Scanner {
    pub(super) fn new(database: Database) -> Self {
        Self { database, place: CODE, before: String::new(), closed: None, is_version: false }
    }

    /// Where the next placeholder stands.
    pub(super) fn place(&self) -> Place {
        match &self.place {
            Place::Code { .. } => {
                let joined = self.closed.filter(|it| it.is_joined(self.database));
                Place::Code { escapes: joined.map_or_else(|| self.is_escaped(), |it| it.escapes) }
            }
            place => place.clone(),
        }
    }

    /// A placeholder follows.
    pub(super) fn value(&mut self) {
        // A text in code may go on in the next line as any other does. The quote after it is kept
        // from it.
        self.closed = match self.place() {
            Place::Code { escapes } => Some(Closed { quote: '\'', escapes, gap: Gap::Space }),
            Place::Line => self.closed,
            _ => None,
        };
        self.before.clear();
        match &mut self.place {
            Place::Quoted { pending, .. } => *pending = false,
            Place::Dollars { before, .. } => before.clear(),
            _ => {}
        }
    }

    /// Whether it ends within something that should be closed.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.place, Place::Code { .. } | Place::Line)
    }

    /// `text` follows.
    pub(super) fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let taken = self.take(character, rest);
            let (taken, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
            self.before.push_str(taken);
            rest = after;
        }
    }

    /// Go on by the next character, or by more that belong together: so many bytes.
    fn take(&mut self, character: char, rest: &str) -> usize {
        let one = character.len_utf8();
        let database = self.database;
        match &mut self.place {
            Place::Code { .. } => return self.code(character, rest),
            Place::Quoted { escapes: true, pending, .. } if *pending => *pending = false,
            Place::Quoted { escapes: true, pending, .. } if character == '\\' => *pending = true,
            Place::Quoted { quote, escapes, .. } if *quote == character => {
                let (quote, escapes) = (*quote, *escapes);
                self.closed = Some(Closed { quote, escapes, gap: Gap::Nothing });
                self.place = CODE;
            }
            Place::Brackets if character == ']' => self.place = CODE,
            Place::Line if database.ends_comment(character) => {
                self.closed = self.closed.and_then(|it| it.after(character));
                self.place = CODE;
            }
            Place::Block { depth } if rest.starts_with("*/") => {
                *depth -= 1;
                if *depth == 0 {
                    self.place = CODE;
                }
                return 2;
            }
            // Only here they are within each other.
            Place::Block { depth }
                if rest.starts_with("/*") && database == Database::Postgresql =>
            {
                *depth += 1;
                return 2;
            }
            Place::Dollars { tag, .. } if rest.starts_with(tag.as_str()) => {
                let len = tag.len();
                self.place = CODE;
                return len;
            }
            Place::Dollars { before, .. } => before.push(character),
            _ => {}
        }
        one
    }

    fn code(&mut self, character: char, rest: &str) -> usize {
        let mysql = self.database == Database::Mysql;
        let quoted = |quote, escapes| Place::Quoted { quote, escapes, pending: false };
        let closed = self.closed.take();
        if let Some(escapes) = closed.and_then(|it| it.resumed(character, self.database)) {
            self.place = quoted(character, escapes);
            return character.len_utf8();
        }
        self.closed = closed.and_then(|it| it.after(character));
        match character {
            '\'' => self.place = quoted('\'', mysql || self.is_escaped()),
            '"' => self.place = quoted('"', mysql),
            '`' if self.database != Database::Postgresql => self.place = quoted('`', false),
            '[' if self.database == Database::Sqlite => self.place = Place::Brackets,
            '#' if mysql => self.place = Place::Line,
            '-' if rest.starts_with("--") => {
                // What is no comment to MySQL is a sign, and the next one may begin a comment.
                let next = rest.chars().nth(2);
                let blank =
                    next.is_some_and(|it| it.is_ascii_whitespace() || it.is_ascii_control());
                if !mysql || blank {
                    self.closed = closed.and_then(|it| it.after(' '));
                    self.place = Place::Line;
                    return 2;
                }
            }
            // What begins so is code, for some versions.
            '/' if mysql && (rest.starts_with("/*!") || rest.starts_with("/*M!")) => {
                self.is_version = true;
                return 2;
            }
            '*' if self.is_version && rest.starts_with("*/") => {
                self.is_version = false;
                return 2;
            }
            '/' if rest.starts_with("/*") => {
                self.place = Place::Block { depth: 1 };
                return 2;
            }
            '$' if self.database == Database::Postgresql && !self.is_word() => {
                if let Some(tag) = tag(rest) {
                    self.place = Place::Dollars { tag: tag.to_owned(), before: String::new() };
                    return tag.len();
                }
            }
            _ => {}
        }
        character.len_utf8()
    }

    /// Whether what comes before makes a text one with backslashes.
    fn is_escaped(&self) -> bool {
        if self.database == Database::Mysql {
            return true;
        }
        let before = self.before.as_str();
        let prefix = before.strip_suffix(['e', 'E']);
        let prefix = prefix.or_else(|| before.strip_suffix("u&"));
        let prefix = prefix.or_else(|| before.strip_suffix("U&"));
        self.database == Database::Postgresql && prefix.is_some_and(|it| !it.ends_with(is_of_name))
    }

    /// Whether what comes before is a name or a number, which a dollar belongs to.
    fn is_word(&self) -> bool {
        self.before.ends_with(is_of_name)
    }
}

// === impl Closed ===

impl Closed {
    /// Whether the text goes on with a quote that follows. `PostgreSQL` joins it with one that begins
    /// in another line.
    fn is_joined(self, database: Database) -> bool {
        database == Database::Postgresql && self.quote == '\'' && self.gap == Gap::Line
    }

    /// Whether the text that goes on with `quote` has backslashes. `None` if it does not go on. A quote
    /// twice is one within.
    fn resumed(self, quote: char, database: Database) -> Option<bool> {
        let goes_on = self.gap == Gap::Nothing || self.is_joined(database);
        (self.quote == quote && goes_on).then_some(self.escapes)
    }

    /// The same after `character`, if the text may still go on.
    fn after(self, character: char) -> Option<Self> {
        let gap = match character {
            '\n' | '\r' => Gap::Line,
            ' ' | '\t' | '\x0b' | '\x0c' if self.gap == Gap::Nothing => Gap::Space,
            ' ' | '\t' | '\x0b' | '\x0c' => self.gap,
            _ => return None,
        };
        Some(Self { gap, ..self })
    }
}

/// Whether `PostgreSQL` takes it into a name. All that is not ASCII is a letter.
fn is_of_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || !it.is_ascii() || it == '_' || it == '$'
}

/// The tag that `text` begins with, with its dollars.
fn tag(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('$')?;
    let end = inside.find('$')?;
    let name = inside.get(..end)?;
    let plain = name.chars().all(is_of_name);
    let digit = name.starts_with(|it: char| it.is_ascii_digit());
    (plain && !digit).then(|| text.get(..end + 2))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(database: Database, before: &str) -> Place {
        let mut scanner = Scanner::new(database);
        scanner.text(before);
        scanner.place()
    }

    fn quoted(quote: char, escapes: bool) -> Place {
        Place::Quoted { quote, escapes, pending: false }
    }

    #[test]
    fn places_are_told_apart() {
        use Database::{Mysql, Postgresql, Sqlite};
        let code = |escapes| Place::Code { escapes };
        let dollars = |tag: &str, before: &str| Place::Dollars {
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
            (Postgresql, "a -- it's ", Place::Line),
            (Postgresql, "a -- it's \n ", code(false)),
            (Postgresql, "a /* /* */ ", Place::Block { depth: 1 }),
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
            (Mysql, "a -- ", Place::Line),
            (Mysql, "a --- ", Place::Line),
            (Mysql, "a --\u{a0}", code(true)),
            (Mysql, "a -- \r", Place::Line),
            (Mysql, "a # \r", Place::Line),
            (Mysql, "a # \r\n", code(true)),
            (Mysql, "/*!50000 a */* ", code(true)),
            (Mysql, "a */* ", Place::Block { depth: 1 }),
            (Mysql, "a # ", Place::Line),
            (Mysql, "/* a /* */", code(true)),
            (Mysql, "/*!50000 ", code(true)),
            (Mysql, "$$", code(true)),
            (Sqlite, "[a", Place::Brackets),
            (Sqlite, "[a] ", code(false)),
            (Sqlite, "'a\\' ", code(false)),
            (Sqlite, "`", quoted('`', false)),
            (Sqlite, "/* /* */ ", code(false)),
            (Sqlite, "--", Place::Line),
            (Sqlite, "-- a\r", Place::Line),
            (Sqlite, "-- a\r\n", code(false)),
        ];
        for (database, before, right) in cases {
            assert_eq!(place(database, before), right, "{database:?} {before:?}");
        }
        let mut scanner = Scanner::new(Mysql);
        scanner.text("'a\\");
        assert_eq!(scanner.place(), Place::Quoted { quote: '\'', escapes: true, pending: true });
        scanner.value();
        scanner.text("'");
        assert!(!scanner.is_open());
    }
}
