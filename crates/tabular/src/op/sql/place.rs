//! Where in a statement a placeholder stands, and how a value is written there so that it ends where
//! it should.
use super::dialect::Database;

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
    /// Within a text between two tags, as `$$`.
    Dollars { tag: String },
}

/// Follows a statement.
#[derive(Debug)]
pub(super) struct Scanner {
    database: Database,
    place: Place,
    /// The characters before, as far as they decide: those of the template alone.
    before: String,
    /// The quotes that were closed by the last character.
    closed: Option<(char, bool)>,
}

const CODE: Place = Place::Code { escapes: false };

// === impl Scanner ===

impl Scanner {
    pub(super) fn new(database: Database) -> Self {
        Self { database, place: CODE, before: String::new(), closed: None }
    }

    /// Where the next placeholder stands.
    pub(super) fn place(&self) -> Place {
        match &self.place {
            Place::Code { .. } => Place::Code { escapes: self.is_escaped() },
            place => place.clone(),
        }
    }

    /// A placeholder follows.
    pub(super) fn value(&mut self) {
        self.before.clear();
        self.closed = None;
        if let Place::Quoted { pending, .. } = &mut self.place {
            *pending = false;
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
        let closed = self.closed.take();
        match &mut self.place {
            Place::Code { .. } => return self.code(character, rest, closed),
            Place::Quoted { escapes: true, pending, .. } if *pending => *pending = false,
            Place::Quoted { escapes: true, pending, .. } if character == '\\' => *pending = true,
            Place::Quoted { quote, escapes, .. } if *quote == character => {
                self.closed = Some((*quote, *escapes));
                self.place = CODE;
            }
            Place::Brackets if character == ']' => self.place = CODE,
            Place::Line if matches!(character, '\n' | '\r') => self.place = CODE,
            Place::Block { depth } if rest.starts_with("*/") => {
                *depth -= 1;
                if *depth == 0 {
                    self.place = CODE;
                }
                return 2;
            }
            // Only here they are within each other.
            Place::Block { depth }
                if rest.starts_with("/*") && self.database == Database::Postgresql =>
            {
                *depth += 1;
                return 2;
            }
            Place::Dollars { tag } if rest.starts_with(tag.as_str()) => {
                let len = tag.len();
                self.place = CODE;
                return len;
            }
            _ => {}
        }
        one
    }

    fn code(&mut self, character: char, rest: &str, closed: Option<(char, bool)>) -> usize {
        let mysql = self.database == Database::Mysql;
        let quoted = |quote, escapes| Place::Quoted { quote, escapes, pending: false };
        match character {
            // A quote twice is one within, and the text goes on.
            _ if closed.is_some_and(|(quote, _)| quote == character) => {
                self.place = quoted(character, closed.is_some_and(|(_, escapes)| escapes));
            }
            '\'' => self.place = quoted('\'', mysql || self.is_escaped()),
            '"' => self.place = quoted('"', mysql),
            '`' if self.database != Database::Postgresql => self.place = quoted('`', false),
            '[' if self.database == Database::Sqlite => self.place = Place::Brackets,
            '#' if mysql => self.place = Place::Line,
            '-' if rest.starts_with("--") => {
                let next = rest.chars().nth(2);
                // What is no comment to MySQL is two signs.
                let blank = next.is_some_and(|it| it.is_whitespace() || it.is_control());
                if !mysql || blank {
                    self.place = Place::Line;
                }
                return 2;
            }
            // What begins so is code, for some versions.
            '/' if mysql && (rest.starts_with("/*!") || rest.starts_with("/*M!")) => return 2,
            '/' if rest.starts_with("/*") => {
                self.place = Place::Block { depth: 1 };
                return 2;
            }
            '$' if self.database == Database::Postgresql && !self.is_word() => {
                if let Some(tag) = tag(rest) {
                    self.place = Place::Dollars { tag: tag.to_owned() };
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

fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_' || it == '$'
}

/// The tag that `text` begins with, with its dollars.
fn tag(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('$')?;
    let end = inside.find('$')?;
    let name = inside.get(..end)?;
    let plain = name.chars().all(|it| it == '_' || it.is_alphanumeric());
    let digit = name.starts_with(|it: char| it.is_ascii_digit());
    (plain && !digit).then(|| text.get(..end + 2))?
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
                        '\0' => continue,
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
                if edge(text.chars().next()) {
                    line.push(' ');
                }
                line.push_str(&text.replace("*/", "* /").replace("/*", "/ *"));
                if edge(text.chars().next_back()) {
                    line.push(' ');
                }
            }
            Self::Dollars { tag } => {
                if text.contains(tag.as_str()) || text.starts_with('$') || text.ends_with('$') {
                    return Err("a text between two tags has neither its tag nor a $ at its ends");
                }
                line.push_str(if text.is_empty() { " " } else { text });
            }
        }
        Ok(())
    }

    pub(super) fn is_code(&self) -> bool {
        matches!(self, Self::Code { .. })
    }
}

/// Keep what begins with `first` from what comes before: two quotes would be one, two signs a comment.
pub(super) fn apart(line: &mut String, first: char) {
    if matches!(first, '\'' | '-') && line.ends_with(first) {
        line.push(' ');
    }
}

fn ends_line(it: char) -> bool {
    it.is_control() || matches!(it, '\u{2028}' | '\u{2029}')
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
        let dollars = |tag: &str| Place::Dollars { tag: tag.to_owned() };
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
            (Postgresql, "$$ it's ", dollars("$$")),
            (Postgresql, "$q$ $$ ", dollars("$q$")),
            (Postgresql, "$q$ $$ $q$", code(false)),
            (Postgresql, "$1 + a$b$ ", code(false)),
            (Postgresql, "ARRAY[", code(false)),
            (Mysql, "'a\\' ", quoted('\'', true)),
            (Mysql, "\"a' ", quoted('"', true)),
            (Mysql, "`a\\` ", code(true)),
            (Mysql, "`", quoted('`', false)),
            (Mysql, "a --", code(true)),
            (Mysql, "a -- ", Place::Line),
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
