//! Every code that a client can be sent is explained to it.
use super::{Violation, tree::Source};

/// The answer to a client's own close; there is nothing to explain.
const NORMAL: &str = "1000";

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let documents = tree.iter().filter(|source| source.path.starts_with("docs/"));
    let documented: String = documents.map(|source| source.text.as_str()).collect();
    let sources = tree.iter().filter(|source| {
        source.is_rust() && source.path.starts_with("crates/") && source.path.contains("/src/")
    });
    let mut violations = Vec::new();
    for source in sources {
        for (n, line) in source.lines().take_while(|(_, line)| *line != "#[cfg(test)]") {
            for (code, as_written) in codes(&source.path, line) {
                if !documented.contains(&as_written) {
                    let message = format!(
                        "`{code}` is not explained in docs/; do that, clients will meet it"
                    );
                    violations.push(Violation::new(&source.path, n, message));
                }
            }
        }
    }
    violations
}

/// The codes in a line, and how a document would write each.
fn codes(path: &str, line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(code) = close_code(line).filter(|code| *code != NORMAL) {
        found.push((code.to_owned(), format!("| {code} |")));
    }
    if path.ends_with("/error.rs")
        && let Some(code) = error_code(line)
    {
        found.push((code.to_owned(), format!("`{code}`")));
    }
    if let Some(problem) = problem(line) {
        found.push((problem.to_owned(), format!("`{problem}`")));
    }
    found
}

/// `Close::new(3001, …)`, or `Self::new(3001, …)` where they are defined.
fn close_code(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Close::new(").or_else(|| line.split_once("Self::new("))?;
    let code = rest.split(',').next()?;
    (code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

/// The literal of `Self::NotJson => "not_json",`.
fn error_code(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("=> \"")?;
    let code = rest.strip_suffix("\",")?;
    code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(code)
}

/// The type of an RFC 9457 problem: `"/problems/origin"`.
fn problem(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("/problems/")?;
    let at = before.len().checked_sub(1).filter(|_| before.ends_with('"'))?;
    let end = rest.find('"')?;
    line.get(at + 1..before.len() + "/problems/".len() + end)
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn codes_that_no_document_explains_are_found() {
        let tree = of(&[
            (
                "docs/protocol/a.md",
                "| 3001 | bye |\n| `not_json` | no |\n| 403 | `/problems/a` | b |",
            ),
            (
                "crates/core/src/close.rs",
                "    pub const BYE: Self = Self::new(3001, \"bye\");\n\
                 pub const SLOW: Self = Self::new(3008, \"slow\");\n\
                 pub const NORMAL: Self = Self::new(1000, \"\");\n",
            ),
            (
                "crates/broker/src/error.rs",
                "    Self::NotJson => \"not_json\",\n    Self::Odd => \"odd_one\",\n    _ => \"A\",\n",
            ),
            (
                "crates/core/src/problem.rs",
                "new(\"/problems/a\", \"A\")\nnew(\"/problems/b\", \"B\")\n#[cfg(test)]\n\"/problems/c\"\n",
            ),
            ("xtask/src/main.rs", "Close::new(4999, \"elsewhere\")"),
        ]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        let line = |place: &str, code: &str| {
            format!("{place}: `{code}` is not explained in docs/; do that, clients will meet it")
        };
        let expected = [
            line("crates/core/src/close.rs:2", "3008"),
            line("crates/broker/src/error.rs:2", "odd_one"),
            line("crates/core/src/problem.rs:2", "/problems/b"),
        ];
        assert_eq!(found, expected);
    }
}
