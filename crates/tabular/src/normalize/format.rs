//! Formats of dates.
use crate::date::Moment;

/// Replaces some directives of a format; `%%` is not one.
pub(super) fn directives<'a>(format: &str, other: impl Fn(char) -> Option<&'a str>) -> String {
    let mut replaced = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            replaced.push(character);
            continue;
        }
        match characters.next() {
            None => replaced.push('%'),
            Some(directive) => match other(directive) {
                Some(text) => replaced.push_str(text),
                None => replaced.extend(['%', directive]),
            },
        }
    }
    replaced
}

pub(super) fn print(moment: Moment, format: &str) -> Option<String> {
    let zone = match moment.offset {
        Some(offset) if format.contains("%z") => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
        _ => String::new(),
    };
    let name = if moment.offset == Some(0) { "UTC" } else { "" };
    let format = directives(format, |directive| match directive {
        'z' => Some(&zone),
        'Z' => Some(name),
        _ => None,
    });
    jiff::fmt::strtime::format(format, moment.civil).ok()
}
