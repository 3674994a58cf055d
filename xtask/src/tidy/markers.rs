//! Nothing is left for later without an issue, and no test is switched off.
use super::{Violation, tree::Source};

// Put together here, so that this file does not hold what it looks for.
const IGNORED: &str = concat!("#[", "ignore");
const UNWRITTEN: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
const LATER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where such marks are looked for; prose may speak of them.
const CODE: [&str; 7] = ["rs", "py", "js", "cjs", "mjs", "sh", "toml"];

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let code =
        tree.iter().filter(|source| CODE.iter().any(|extension| source.has_extension(extension)));
    let lines = code.flat_map(|source| source.lines().map(move |(n, line)| (source, n, line)));
    lines
        .filter_map(|(source, n, line)| Some(Violation::new(&source.path, n, wrong(source, line)?)))
        .collect()
}

fn wrong(source: &Source, line: &str) -> Option<&'static str> {
    if source.is_rust() && line.trim_start().starts_with(IGNORED) {
        Some("an ignored test is no test; make it run, or delete it")
    } else if source.is_rust() && UNWRITTEN.iter().any(|macros| line.contains(macros)) {
        Some("this panics when it is reached; write it, or return an error")
    } else if LATER.iter().any(|mark| has_word(line, mark)) && !names_issue(line) {
        Some("a mark for later without an issue; do it now, or add the issue as in `(#12)`")
    } else {
        None
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|each| each == word)
}

/// Whether there is a `#` with a digit after it.
fn names_issue(line: &str) -> bool {
    line.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn what_is_left_for_later_is_found() {
        let [todo, fixme, _] = LATER;
        let text = format!(
            "{IGNORED}]\nfn a() {{ {}) }}\n// {todo}: later\n// {fixme}(#12): known\nlet {todo}S = 1;\n",
            UNWRITTEN[0]
        );
        let tree = of(&[("a.rs", text.as_str()), ("b.md", text.as_str())]);
        let found: Vec<_> = check(&tree).iter().map(|found| found.line).collect();
        assert_eq!(found, [1, 2, 3]);
    }
}
