//! Which cells show dates, told by their number formats.
use std::collections::HashMap;

use quick_xml::events::Event;

use super::{
    package::Package,
    workbook::Workbook,
    xml::{Xml, attribute},
};
use crate::error::Error;

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
pub(super) fn read(package: &mut Package, workbook: &Workbook) -> Result<Vec<Shown>, Error> {
    let mut styles = Vec::new();
    let Some(path) = &workbook.styles else { return Ok(styles) };
    let Some(part) = package.small_part(path)? else { return Ok(styles) };
    let mut xml = Xml::new(part);
    let mut formats: HashMap<u32, Shown> = HashMap::new();
    let mut of_cells = false;
    loop {
        match xml.next()? {
            Event::Start(element) => match element.local_name().as_ref() {
                "numFmt" => {
                    let id = attribute(&element, "numFmtId")?.and_then(|it| it.parse().ok());
                    let code = attribute(&element, "formatCode")?;
                    if let (Some(id), Some(code)) = (id, code) {
                        formats.insert(id, shown(&code));
                    }
                }
                "cellXfs" => of_cells = true,
                "xf" if of_cells => {
                    let id = attribute(&element, "numFmtId")?.and_then(|it| it.parse().ok());
                    let id = id.unwrap_or_default();
                    styles.push(formats.get(&id).copied().unwrap_or_else(|| built_in(id)));
                }
                _ => {}
            },
            Event::End(element) if element.local_name().as_ref() == "cellXfs" => of_cells = false,
            Event::Eof => return Ok(styles),
            _ => {}
        }
    }
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
