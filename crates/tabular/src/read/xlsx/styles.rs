//! Which cells show dates, told by their number formats.
use std::collections::HashMap;

use super::{
    package::Package,
    space::Space,
    workbook::Workbook,
    xml::{Node, Xml},
};
use crate::{error::Error, progress::Meter};

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Number,
    /// A day, a time of day, or both.
    Date,
    /// A time that passed, of any number of hours.
    Duration,
}

/// What the numbers of each style stand for.
pub(super) fn read(
    package: &mut Package,
    workbook: &Workbook,
    meter: &mut Meter<'_>,
) -> Result<Vec<Shown>, Error> {
    let Some(path) = &workbook.styles else { return Ok(Vec::new()) };
    let Some(part) = package.small_part(path)? else { return Ok(Vec::new()) };
    let mut xml = Xml::new(part, Space::Main);
    let mut formats: HashMap<u32, Shown> = HashMap::new();
    let mut of_cells: Vec<u32> = Vec::new();
    // Formats that depend on conditions have the same elements elsewhere.
    let mut section = String::new();
    loop {
        match (xml.next(meter)?, xml.level()) {
            (Node::Start, 2) => xml.name().clone_into(&mut section),
            (Node::Start, 3) if section == "numFmts" && xml.name() == "numFmt" => {
                let id = xml.attribute("numFmtId")?.and_then(|it| it.trim().parse().ok());
                let code = xml.attribute("formatCode")?;
                if let (Some(id), Some(code)) = (id, code) {
                    formats.insert(id, shown(&code));
                }
            }
            (Node::Start, 3) if section == "cellXfs" && xml.name() == "xf" => {
                let id = xml.attribute("numFmtId")?.and_then(|it| it.trim().parse().ok());
                of_cells.push(id.unwrap_or_default());
            }
            (Node::Eof, _) => break,
            _ => {}
        }
    }
    let style = |id: u32| formats.get(&id).copied().unwrap_or_else(|| built_in(id));
    Ok(of_cells.into_iter().map(style).collect())
}

/// The formats that have numbers only (ECMA-376 part 1, 18.8.30).
fn built_in(id: u32) -> Shown {
    match id {
        14..=22 | 45 | 47 => Shown::Date,
        46 => Shown::Duration,
        _ => Shown::Number,
    }
}

/// What a format shows: a date if its first section has letters of dates outside of quotes, escapes
/// and brackets.
fn shown(code: &str) -> Shown {
    let mut date = false;
    let mut characters = code.chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            ';' => break,
            '"' => {
                characters.by_ref().find(|it| *it == '"');
            }
            '\\' | '_' | '*' => {
                characters.next();
            }
            '[' => {
                let name: String = characters.by_ref().take_while(|it| *it != ']').collect();
                let elapsed =
                    matches!(&*name.to_ascii_lowercase(), "h" | "hh" | "m" | "mm" | "s" | "ss");
                if elapsed && first {
                    return Shown::Duration;
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
    if date { Shown::Date } else { Shown::Number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_with_letters_of_dates_show_dates() {
        for code in ["yyyy-mm-dd", "mm:ss", "[$-409]d/m/yy h:mm AM/PM;@", "[Red]dd", "\"x\"yy"] {
            assert_eq!(shown(code), Shown::Date, "{code}");
        }
        for code in
            ["General", "@", "0.00", "\"day\" 0", "0\\d", "0_d", "[Red]0;dd", "#,##0.00 [$€]"]
        {
            assert_eq!(shown(code), Shown::Number, "{code}");
        }
        for code in ["[h]:mm", "[hh]:mm:ss", "[mm]:ss", "[s]"] {
            assert_eq!(shown(code), Shown::Duration, "{code}");
        }
    }
}
