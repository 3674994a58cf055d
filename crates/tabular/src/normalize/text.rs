//! Normal forms of texts.
use std::sync::LazyLock;

use regex::Regex;

static NOT_DIGITS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\D").expect("the pattern is tested"));

/// Makes the first letter of every word upper case and the others lower case. Any character that is
/// not a letter ends a word.
pub(super) fn title_case(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars() {
        if is_cased(character) {
            word.push(character);
        } else {
            push_title(&mut title, &word);
            word.clear();
            title.push(character);
        }
    }
    push_title(&mut title, &word);
    title
}

fn is_cased(character: char) -> bool {
    character.is_lowercase()
        || character.is_uppercase()
        || matches!(character, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
}

fn push_title(title: &mut String, word: &str) {
    let Some(first) = word.chars().next() else { return };
    // Digraphs have a title case of their own.
    match first {
        'Ǆ'..='ǆ' => title.push('ǅ'),
        'Ǉ'..='ǉ' => title.push('ǈ'),
        'Ǌ'..='ǌ' => title.push('ǋ'),
        'Ǳ'..='ǳ' => title.push('ǲ'),
        _ => {
            let mut upper = first.to_uppercase();
            title.extend(upper.next());
            title.extend(upper.flat_map(char::to_lowercase));
        }
    }
    // Lower case of the whole word: a sigma at its end differs.
    let lower = word.to_lowercase();
    let skipped: usize = first.to_lowercase().map(char::len_utf8).sum();
    title.push_str(lower.get(skipped..).unwrap_or_default());
}

/// Formats a North American phone number; other texts stay as they are.
pub(super) fn phone(text: &str) -> String {
    let digits = NOT_DIGITS.replace_all(text, "");
    let digits: Vec<char> = digits.chars().collect();
    let part = |from: usize, to: usize| digits[from..to].iter().collect::<String>();
    match digits.len() {
        10 => format!("({}) {}-{}", part(0, 3), part(3, 6), part(6, 10)),
        11 if digits[0] == '1' => {
            format!("+1 ({}) {}-{}", part(1, 4), part(4, 7), part(7, 11))
        }
        _ => text.to_owned(),
    }
}

/// Collapses white space to single spaces, without any at the ends.
pub(super) fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Formats an address on one line, with a space after each comma and capitalised words.
pub(super) fn address(text: &str) -> String {
    let spaced = text.replace(',', ", ");
    let words = spaced.split_whitespace().map(|word| {
        if word.chars().any(|c| c.is_uppercase() || c.is_numeric()) {
            word.to_owned()
        } else {
            title_case(word)
        }
    });
    words.collect::<Vec<_>>().join(" ").replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_with_a_large_letter() {
        let cases = [
            ("o'neil mcDONALD-smith", "O'Neil Mcdonald-Smith"),
            ("123abc 4th", "123Abc 4Th"),
            ("ǆep ßa ﬁx", "ǅep Ssa Fix"),
            ("ΟΔΟΣ ΑΣ", "Οδος Ας"),
            ("日本a", "日本A"),
        ];
        for (text, title) in cases {
            assert_eq!(title_case(text), title);
        }
    }

    #[test]
    fn phone_numbers_have_ten_digits() {
        assert_eq!(phone("555.123.4567"), "(555) 123-4567");
        assert_eq!(phone("1-555-123-4567"), "+1 (555) 123-4567");
        assert_eq!(phone("５５５1234567"), "(５５５) 123-4567");
        for text in ["5551234567.0", "123", "", "+49 30 1234567"] {
            assert_eq!(phone(text), text);
        }
    }

    #[test]
    fn addresses_are_on_one_line() {
        assert_eq!(
            address(" 12  main st.\n apt 4b,springfield ,IL "),
            "12 Main St. Apt 4b, Springfield, IL"
        );
        assert_eq!(collapse(" a \u{a0}\n b "), "a b");
    }
}
