//! Detects by number formats which cells show dates.
use std::collections::HashMap;

use super::{
    package::Package,
    space::Space,
    workbook::Workbook,
    xml::{Node, Xml},
};
use crate::{error::Error, progress::Meter};

/// Meaning of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberKind {
    Number,
    /// A date, a time, or both.
    Date,
    /// A duration, of any number of hours.
    Duration,
}

/// Reads the meaning of numbers for each style.
pub(super) fn read(
    package: &mut Package,
    workbook: &Workbook,
    meter: &mut Meter<'_>,
) -> Result<Vec<NumberKind>, Error> {
    let Some(path) = &workbook.styles else { return Ok(Vec::new()) };
    let Some(part) = package.small_part(path)? else { return Ok(Vec::new()) };
    let mut xml = Xml::new(part, Space::Main);
    let mut formats: HashMap<u32, NumberKind> = HashMap::new();
    let mut of_cells: Vec<u32> = Vec::new();
    // Conditional formats have the same elements elsewhere.
    let mut section = String::new();
    loop {
        match (xml.next(meter)?, xml.level()) {
            (Node::Start, 2) => xml.name().clone_into(&mut section),
            (Node::Start, 3) if section == "numFmts" && xml.name() == "numFmt" => {
                let id = xml.attribute("numFmtId")?.and_then(|id| id.trim().parse().ok());
                let code = xml.attribute("formatCode")?;
                if let (Some(id), Some(code)) = (id, code) {
                    formats.insert(id, number_kind(&code));
                }
            }
            (Node::Start, 3) if section == "cellXfs" && xml.name() == "xf" => {
                let id = xml.attribute("numFmtId")?.and_then(|id| id.trim().parse().ok());
                of_cells.push(id.unwrap_or_default());
            }
            (Node::Eof, _) => break,
            _ => {}
        }
    }
    let style = |id: u32| formats.get(&id).copied().unwrap_or_else(|| built_in(id));
    Ok(of_cells.into_iter().map(style).collect())
}

/// Returns the meaning of built-in formats (ECMA-376 part 1, 18.8.30).
fn built_in(id: u32) -> NumberKind {
    match id {
        14..=22 | 45 | 47 => NumberKind::Date,
        46 => NumberKind::Duration,
        _ => NumberKind::Number,
    }
}

/// Returns the meaning of a format: a date if its first section has letters of dates outside of
/// quotes, escapes and brackets.
fn number_kind(code: &str) -> NumberKind {
    let mut date = false;
    let mut characters = code.chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            ';' => break,
            '"' => {
                characters.by_ref().find(|c| *c == '"');
            }
            '\\' | '_' | '*' => {
                characters.next();
            }
            '[' => {
                let name: String = characters.by_ref().take_while(|c| *c != ']').collect();
                let elapsed =
                    matches!(&*name.to_ascii_lowercase(), "h" | "hh" | "m" | "mm" | "s" | "ss");
                if elapsed && first {
                    return NumberKind::Duration;
                }
                date |= elapsed;
            }
            'd' | 'm' | 'h' | 'y' | 's' | 'D' | 'M' | 'H' | 'Y' | 'S' => date = true,
            'G' | 'g' if characters.clone().take(6).collect::<String>() == "eneral" => {
                characters.nth(5);
            }
            _ => {}
        }
        first = false;
    }
    if date { NumberKind::Date } else { NumberKind::Number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_with_letters_of_dates_show_dates() {
        for code in ["yyyy-mm-dd", "mm:ss", "[$-409]d/m/yy h:mm AM/PM;@", "[Red]dd", "\"x\"yy"] {
            assert_eq!(number_kind(code), NumberKind::Date, "{code}");
        }
        for code in
            ["General", "@", "0.00", "\"day\" 0", "0\\d", "0_d", "[Red]0;dd", "#,##0.00 [$€]"]
        {
            assert_eq!(number_kind(code), NumberKind::Number, "{code}");
        }
        for code in ["[h]:mm", "[hh]:mm:ss", "[mm]:ss", "[s]"] {
            assert_eq!(number_kind(code), NumberKind::Duration, "{code}");
        }
    }
}
