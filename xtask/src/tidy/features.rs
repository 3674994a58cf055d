//! Features are decided in few places, so that the rest of the code has one meaning.
use super::{Violation, tree::Source};

/// Where `cfg(feature = "…")` may be written: these files, and everything in these directories.
const ALLOWED: [&str; 6] = [
    "crates/gateway/src/app.rs",
    "crates/gateway/src/config.rs",
    "crates/gateway/src/config/",
    "crates/core/src/backplane.rs",
    "crates/core/src/backplane/",
    "crates/store/",
];

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let sources = tree.iter().filter(|source| {
        source.is_rust() && source.path.starts_with("crates/") && !is_allowed(&source.path)
    });
    let mut violations = Vec::new();
    for source in sources {
        for (n, line) in source.lines().filter(|(_, line)| is_conditional(line)) {
            let what = format!("`{}` here; move it to one of {}", line.trim(), ALLOWED.join(", "));
            violations.push(Violation::new(&source.path, n, what));
        }
    }
    violations
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|it| path == *it || it.ends_with('/') && path.starts_with(it))
}

fn is_conditional(line: &str) -> bool {
    line.contains("cfg") && line.contains("feature = ")
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn features_are_found_outside_of_their_places() {
        let text = "//! A.\n#[cfg(all(feature = \"broker\", unix))]\n#[cfg(test)]\n";
        let tree = of(&[
            ("crates/gateway/src/app.rs", text),
            ("crates/gateway/src/config/check.rs", text),
            ("crates/gateway/src/ops.rs", text),
            ("xtask/src/main.rs", text),
        ]);
        let found: Vec<_> = check(&tree).iter().map(|it| (it.path.clone(), it.line)).collect();
        assert_eq!(found, [("crates/gateway/src/ops.rs".into(), 2)]);
    }
}
