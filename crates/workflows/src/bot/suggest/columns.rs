//! Matches the words of messages with the columns of a file.
use std::sync::LazyLock;

use regex::Regex;

use super::{FileSeen, pattern, shown};

#[derive(Debug)]
pub(super) struct ColumnNames<'a> {
    names: &'a [String],
    /// Positions and names in lower case, the longest first.
    lower: Vec<(usize, String)>,
}

// === impl ColumnNames ===

impl<'a> ColumnNames<'a> {
    pub(super) fn of(file: &'a FileSeen) -> Self {
        let lower = file.columns.iter().map(|name| name.trim().to_lowercase()).enumerate();
        let mut lower: Vec<_> = lower.filter(|(_, name)| !name.is_empty()).collect();
        lower.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        Self { names: &file.columns, lower }
    }

    pub(super) fn all(&self) -> &'a [String] {
        self.names
    }

    /// Sentence that lists the columns.
    pub(super) fn known(&self) -> String {
        if self.names.is_empty() {
            "The file has no columns.".to_owned()
        } else {
            format!("The file has the columns {}.", shown(self.names))
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.names.iter().position(|known| known == name);
        exact.or_else(|| {
            let name = name.to_lowercase();
            self.lower.iter().find(|(_, known)| *known == name).map(|(at, _)| *at)
        })
    }

    /// Finds the column whose name ends `text`.
    pub(super) fn ends(&self, text: &str) -> Option<usize> {
        let text = bare(text);
        self.find(text).or_else(|| {
            let text = text.to_lowercase();
            let ends = |name: &str| {
                text.strip_suffix(name).is_some_and(|rest| !rest.ends_with(is_part_of_word))
            };
            self.lower.iter().find(|(_, name)| ends(name)).map(|(at, _)| *at)
        })
    }

    /// Finds columns in `text`, which is in lower case, as words of their own: offset and column.
    /// Each counts once, and not inside a longer one.
    pub(super) fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let mut taken = vec![false; text.len()];
        let mut found = Vec::new();
        for (column, name) in self.lower.iter().filter(|(_, name)| name.len() <= text.len()) {
            let place = text.match_indices(name.as_str()).map(|(at, _)| at).find(|at| {
                let end = at + name.len();
                let before = text.get(..*at).unwrap_or_default();
                let after = text.get(end..).unwrap_or_default();
                let whole =
                    !before.ends_with(is_part_of_word) && !after.starts_with(is_part_of_word);
                whole && !taken[*at] && !taken[end - 1]
            });
            if let Some(at) = place {
                taken[at..at + name.len()].fill(true);
                found.push((at, *column));
            }
        }
        found.sort_unstable();
        found
    }

    /// Columns that `text` names anywhere, in its order.
    pub(super) fn mentioned(&self, text: &str) -> Vec<String> {
        self.places(&text.to_lowercase())
            .into_iter()
            .map(|(_, at)| self.names[at].clone())
            .collect()
    }

    /// Reads a list of columns, each once. An unknown column is an error.
    pub(super) fn read(&self, list: &str) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = Vec::new();
        for part in list.split([',', ';', '\n']) {
            let parts = match self.find(bare(part)) {
                Some(_) => vec![part.to_owned()],
                None => split(part),
            };
            for part in parts {
                let found = match self.find(bare(&part)) {
                    Some(at) => vec![self.names[at].clone()],
                    None => self.mentioned(&part),
                };
                if found.is_empty() && !is_filler(&part) {
                    let part = bare(&part);
                    return Err(format!("The file has no column {part:?}. {}", self.known()));
                }
                names.extend(
                    found.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>(),
                );
            }
        }
        Ok(names)
    }

    /// Reads the columns that a message lists after `columns` or a verb like `extract`.
    pub(super) fn listed(&self, message: &str) -> Option<Result<Vec<String>, String>> {
        static VERB: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"\b(?:extract|get|select|pull(?:\s+out)?)\s+(.+?)(?:\s+(?:from|columns?|fields?)\b|$)",
            )
        });
        let verb = VERB.captures(message).and_then(|found| found.get(1)).map(|list| list.as_str());
        let lists = after_the_word(message).into_iter().chain(verb);
        lists.map(|list| self.read(list)).find(|names| names != &Ok(Vec::new()))
    }
}

/// Text of the list after `columns` or `fields`.
pub(super) fn after_the_word(message: &str) -> Option<&str> {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(?:columns?|fields?)\b\s*:?\s*(.*)$"));
    static END: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(^|\s+)(from|in|into|of|for|as|to)\s"));

    let list = WORD.captures(message)?.get(1)?.as_str();
    let end = END.find(list).map_or(list.len(), |found| found.start());
    list.get(..end).filter(|list| !list.trim().is_empty())
}

/// Splits a list at commas and `and`.
pub(super) fn split(list: &str) -> Vec<String> {
    static BETWEEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"[,;\n]|\s&\s|(^|\s)and(\s|$)"));
    BETWEEN.split(list).map(|part| bare(part).to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Strips quotes and the punctuation at the end.
pub(super) fn bare(text: &str) -> &str {
    let text = text.trim().trim_end_matches(['.', '!', '?', ':', ',']).trim();
    for quote in ['"', '\'', '`'] {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside {
            return inside;
        }
    }
    text
}

/// Whether `text` has only filler words.
fn is_filler(text: &str) -> bool {
    const FILLER: [&str; 22] = [
        "the",
        "a",
        "all",
        "only",
        "just",
        "unique",
        "distinct",
        "data",
        "my",
        "me",
        "please",
        "and",
        "or",
        "column",
        "columns",
        "field",
        "fields",
        "without",
        "duplicate",
        "duplicates",
        "rows",
        "file",
    ];
    let words = text.split(|c| !is_part_of_word(c)).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).all(|word| FILLER.contains(&word.as_str()))
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
