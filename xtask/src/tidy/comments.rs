//! A doc comment begins with a verb or a noun, not with a riddle.
use super::{Violation, tree::Source};

const RIDDLES: [&str; 8] = ["Who", "Whom", "Whose", "What", "Those", "It", "They", "There is"];

/// Its comments come from doc comments.
const CONFIG: &str = "config/quadrille.toml";

const MARKS: [&str; 3] = ["///", "//!", "/**"];

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in tree {
        let marks: &[&str] = match &*source.path {
            CONFIG => &["#"],
            _ if source.is_rust() => &MARKS,
            _ => continue,
        };
        let mut before = None;
        for (n, line) in source.lines() {
            let comment = comment(line, marks);
            if let Some((mark, text)) = comment
                && before != Some(mark)
                && let Some(riddle) = RIDDLES.into_iter().find(|riddle| begins(text, riddle))
            {
                let message = format!("begins with `{riddle}`; begin with a verb or a noun");
                violations.push(Violation::new(&source.path, n, message));
            }
            before = comment.map(|(mark, _)| mark);
        }
    }
    violations
}

/// The mark of a comment, and its text.
fn comment<'a>(line: &'a str, marks: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let line = line.trim_start();
    let mark = marks.iter().find(|&&mark| line.starts_with(mark))?;
    Some((mark, line.strip_prefix(mark)?.trim_start()))
}

fn begins(text: &str, riddle: &str) -> bool {
    let rest = text.strip_prefix(riddle);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn riddles_at_the_head_of_a_comment_are_found() {
        let rust = "//! What that is.\n//! What follows.\n\n/// Sends what\n/// Who asks.\n\
                    fn f() {}\n/// Whatever.\n/** There is one. */\n// It is so.\n    /// Those.\n";
        let config = "# Whose keys.\nkeys = []\n# Keys,\n# Those used.\n";
        let tree = of(&[("a.rs", rust), ("a.toml", config), (CONFIG, config)]);
        let found: Vec<_> =
            check(&tree).iter().map(|found| (found.path.clone(), found.line)).collect();
        let rust = [1, 8, 10].map(|line| ("a.rs".to_owned(), line));
        assert_eq!(found, [&rust[..], &[(CONFIG.to_owned(), 1)]].concat());
    }
}
