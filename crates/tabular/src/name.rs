//! Compares names of columns and sheets by their normal form (NFC): a letter with a mark may be
//! written as one character or as two.
use unicode_normalization::UnicodeNormalization;

pub fn same(a: &str, b: &str) -> bool {
    a == b || (!(a.is_ascii() && b.is_ascii()) && a.nfc().eq(b.nfc()))
}

/// Finds `name` among `names`: an exact match, or else one with the same normal form.
pub(crate) fn find<S: AsRef<str>>(names: &[S], name: &str) -> Option<usize> {
    let exact = names.iter().position(|other| other.as_ref() == name);
    exact.or_else(|| names.iter().position(|other| same(other.as_ref(), name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_its_marks_are_written() {
        let (whole, pieces) = ("M\u{11b}sto", "Me\u{30c}sto");
        assert!(same(whole, pieces) && same("a", "a"));
        assert!(!same("M\u{11b}sto", "Mesto") && !same("a", "A"));
        assert_eq!(find(&["x", whole, pieces], pieces), Some(2));
        assert_eq!(find(&["x", whole], pieces), Some(1));
        assert_eq!(find(&["x"], pieces), None);
    }
}
