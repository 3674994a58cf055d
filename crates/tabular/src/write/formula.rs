//! Text that a spreadsheet program would run when it opens a text file.
use std::borrow::Cow;

/// `text` with an apostrophe before it if it begins like a formula. Numbers with a sign, and what else
/// has neither letters nor references, such as phone numbers, stay as they are.
pub(crate) fn defuse(text: &str) -> Cow<'_, str> {
    if dangerous(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn dangerous(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        // The wide forms begin a formula, too, where the program is set to Japanese or Chinese.
        Some('=' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => true,
        Some('+' | '-') => {
            let harmless = |it: char| it.is_ascii_digit() || " .,()-/:%".contains(it);
            let rest = characters.as_str();
            !rest.chars().all(harmless) && rest.parse::<f64>().is_err()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_defused() {
        for text in ["=1+1", "@SUM(A1)", "+A1", "-cmd|' /C calc'!A0", "\t=1", "\r=1", "＝1", "+1+1"]
        {
            assert_eq!(defuse(text), format!("'{text}"));
        }
        for text in ["", "-1", "-1.5e-7", "+1 (555) 123-4567", "-", "a=1", " =1", "-inf", "x@y"] {
            assert_eq!(defuse(text), text);
        }
    }
}
