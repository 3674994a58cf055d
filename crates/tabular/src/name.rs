//! Names of columns and sheets. Letters with marks can be written in two ways, in one piece or with the
//! mark after its letter; a name is the same in both.
use unicode_normalization::UnicodeNormalization;

pub fn same(a: &str, b: &str) -> bool {
    a == b || (!(a.is_ascii() && b.is_ascii()) && a.nfc().eq(b.nfc()))
}

/// Where `name` is among `names`: the one that is written exactly so, or else one that is the same.
pub(crate) fn find<S: AsRef<str>>(names: &[S], name: &str) -> Option<usize> {
    let exact = names.iter().position(|it| it.as_ref() == name);
    exact.or_else(|| names.iter().position(|it| same(it.as_ref(), name)))
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
