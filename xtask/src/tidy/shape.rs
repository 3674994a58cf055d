//! Rust files are short, and begin with their purpose.
use super::{Violation, tree::Source};

const LINES: usize = 600;

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in tree.iter().filter(|source| source.is_rust()) {
        let path = &source.path;
        if !source.text.starts_with("//! ") {
            let message = "the first line is not a `//!` sentence; state the purpose of the file";
            violations.push(Violation::new(path, 1, message));
        }
        let lines = source.text.lines().count();
        if lines > LINES {
            let message = format!("the file has {lines} lines, {LINES} is the most; split it");
            violations.push(Violation::new(path, LINES + 1, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn long_files_and_files_without_a_purpose_are_found() {
        let longest = format!("//! Long.\n{}", "\n".repeat(LINES - 1));
        let too_long = format!("{longest}\n");
        let tree = of(&[
            ("a.rs", longest.as_str()),
            ("b.rs", too_long.as_str()),
            ("c.rs", "use std::fs;\n"),
            ("d.rs", ""),
            ("e.md", "no purpose\n"),
        ]);
        let found: Vec<_> =
            check(&tree).iter().map(|found| (found.path.clone(), found.line)).collect();
        assert_eq!(found, [("b.rs".into(), 601), ("c.rs".into(), 1), ("d.rs".into(), 1)]);
    }
}
