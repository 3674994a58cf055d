//! Texts with placeholders, `{name:type|default}`. Braces cannot be escaped.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Placeholder(Placeholder),
}

/// A placeholder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Replaces a missing value and the empty text.
    pub(crate) default: Option<String>,
}

/// Type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Text,
    Int,
    Float,
    Bool,
}

/// A typed value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Int(i128),
    Float(f64),
    Bool(bool),
}

/// Splits `text` at its placeholders. The text between braces is never empty.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, inside, after)) = next(rest) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Placeholder(Placeholder::parse(inside)));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Returns the text before the first placeholder, its inside, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let (before, _) = text.get(from..)?.split_once('{')?;
        let open = from + before.len();
        let (inside, after) = text.get(open + 1..)?.split_once('}')?;
        if !inside.is_empty() {
            return Some((text.get(..open)?, inside, after));
        }
        from = open + 1;
    }
}

// === impl Placeholder ===

impl Placeholder {
    fn parse(inside: &str) -> Self {
        let (left, default) = match inside.split_once('|') {
            Some((left, default)) => (left, Some(default.trim().to_owned())),
            None => (inside, None),
        };
        let (name, kind) = left.split_once(':').unwrap_or((left, ""));
        let kind = match kind.trim() {
            "int" => Kind::Int,
            "float" => Kind::Float,
            "bool" => Kind::Bool,
            _ => Kind::Text,
        };
        Self { name: name.trim().to_owned(), kind, default }
    }

    /// Returns the text for a cell with this text, or the default. `None` is no value.
    pub(crate) fn fill<'a>(&'a self, cell: Option<&'a str>) -> Option<&'a str> {
        match (&self.default, cell) {
            (Some(default), None | Some("")) => Some(default),
            (_, cell) => cell,
        }
    }
}

// === impl Kind ===

impl Kind {
    /// Converts `text`; `None` if it is not such a value.
    pub(crate) fn convert(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Text => Value::Text(text.to_owned()),
            Self::Int => {
                let plain = plain(text)?;
                if let Ok(number) = plain.parse() {
                    Value::Int(number)
                } else {
                    let number: f64 = plain.parse().ok()?;
                    let number = Some(number.trunc()).filter(|number| number.abs() < 1e38)?;
                    #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
                    Value::Int(number as i128)
                }
            }
            Self::Float => Value::Float(plain(text)?.parse().ok()?),
            Self::Bool => {
                let text = text.trim().to_lowercase();
                Value::Bool(matches!(&*text, "true" | "1" | "yes" | "on"))
            }
        })
    }
}

/// Normalises a number: drops white space around it and single underscores between digits.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '_' && !(digit(before) && digit(characters.peek().copied())) {
            return None;
        }
        before = Some(character);
    }
    Some(text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(name: &str, kind: Kind, default: Option<&str>) -> Placeholder {
        Placeholder { name: name.to_owned(), kind, default: default.map(str::to_owned) }
    }

    #[test]
    fn placeholders_have_a_name_a_type_and_a_default() {
        let one = |text: &str| match pieces(text).remove(0) {
            Piece::Placeholder(placeholder) => placeholder,
            Piece::Text(text) => panic!("{text} is no placeholder"),
        };
        assert_eq!(one("{ id : int | 0 }"), placeholder("id", Kind::Int, Some("0")));
        assert_eq!(one("{a|b:int}"), placeholder("a", Kind::Text, Some("b:int")));
        assert_eq!(one("{a:int:x}"), placeholder("a", Kind::Text, None));
        assert_eq!(one("{a|}"), placeholder("a", Kind::Text, Some("")));
        assert_eq!(one("{a:INT}"), placeholder("a", Kind::Text, None));
    }

    #[test]
    fn text_is_cut_at_placeholders() {
        let n = || Piece::Placeholder(placeholder("n", Kind::Text, None));
        assert_eq!(pieces("x{n}y"), [Piece::Text("x"), n(), Piece::Text("y")]);
        assert_eq!(pieces("{}"), [Piece::Text("{}")]);
        assert_eq!(pieces("{}{n}"), [Piece::Text("{}"), n()]);
        let braced = Piece::Placeholder(placeholder("{n", Kind::Text, None));
        assert_eq!(pieces("{{n}}"), [braced, Piece::Text("}")]);
        assert_eq!(pieces("a { b"), [Piece::Text("a { b")]);
    }

    #[test]
    fn texts_become_values() {
        let int = |text: &str| Kind::Int.convert(text);
        for (text, number) in [("1e3", 1000), ("-1.9", -1), (" 5 ", 5), ("1_000", 1000)] {
            assert_eq!(int(text), Some(Value::Int(number)), "{text}");
        }
        assert_eq!(int("9007199254740993"), Some(Value::Int(9_007_199_254_740_993)));
        for text in ["x", "", "_1", "1__0", "inf", "nan"] {
            assert_eq!(int(text), None, "{text}");
        }
        assert_eq!(Kind::Float.convert("1"), Some(Value::Float(1.0)));
        assert_eq!(Kind::Bool.convert("ON"), Some(Value::Bool(true)));
        assert_eq!(Kind::Bool.convert("y"), Some(Value::Bool(false)));
    }
}
