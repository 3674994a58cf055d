//! Features are decided in few places, so that the rest of the code has one meaning.
use super::{Violation, tree::Source};

/// Where `cfg(feature = "…")` may be written: these files, and everything in these directories.
const ALLOWED: [&str; 4] = [
    "crates/gateway/src/app/",
    "crates/gateway/src/config/",
    "crates/gateway/src/traces/",
    "crates/store/",
];

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let crates =
        tree.iter().filter(|source| source.is_rust() && source.path.starts_with("crates/"));
    let mut violations = Vec::new();
    for source in crates {
        let lines = || source.lines().map(|(_, line)| line.trim());
        for ((n, line), next) in source.lines().zip(lines().skip(1).chain([""])) {
            if is_fuzzing(line) && !next.ends_with("mod fuzz;") {
                let message = "only a module `fuzz` may be there for fuzzing alone; move it to one";
                violations.push(Violation::new(&source.path, n, message));
            }
        }
        for (n, line) in source.lines().filter(|(_, line)| is_conditional(line)) {
            if is_allowed(&source.path) {
                continue;
            }
            let message =
                format!("`{}` here; move it to one of {}", line.trim(), ALLOWED.join(", "));
            violations.push(Violation::new(&source.path, n, message));
        }
    }
    violations
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|place| path == *place || place.ends_with('/') && path.starts_with(place))
}

/// Whether code is compiled for fuzzing alone; the code that is served must be fuzzed.
fn is_fuzzing(line: &str) -> bool {
    line.contains("cfg") && line.contains("fuzzing") && !line.starts_with("//")
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
            ("crates/gateway/src/app/mod.rs", text),
            ("crates/gateway/src/config/check.rs", text),
            ("crates/gateway/src/ops.rs", text),
            ("xtask/src/main.rs", text),
        ]);
        let found: Vec<_> =
            check(&tree).iter().map(|found| (found.path.clone(), found.line)).collect();
        assert_eq!(found, [("crates/gateway/src/ops.rs".into(), 2)]);
    }

    #[test]
    fn what_is_fuzzed_is_what_is_served() {
        let good = "//! A.\n#[cfg(any(test, fuzzing))]\npub mod fuzz;\n";
        let bad = "//! A.\n#[cfg(not(fuzzing))]\nfn check() {}\n";
        let tree = of(&[("crates/core/src/lib.rs", good), ("crates/core/src/a.rs", bad)]);
        let found: Vec<_> =
            check(&tree).iter().map(|found| (found.path.clone(), found.line)).collect();
        assert_eq!(found, [("crates/core/src/a.rs".into(), 2)]);
    }
}
