//! What does not keep a rule yet, by rule; `cargo xtask tidy --all` lists what is left there.
use super::Violation;

const EVERYWHERE: &[&str] = &["bench/", "config/", "crates/", "fuzz/", "tests/", "xtask/"];

const PENDING: [(&str, &[&str]); 5] = [
    ("layers", EVERYWHERE),
    ("circles", EVERYWHERE),
    ("types", EVERYWHERE),
    ("comments", EVERYWHERE),
    ("bindings", EVERYWHERE),
];

/// Without those that are pending, unless `all` are wanted.
pub(super) fn due(rule: &str, violations: Vec<Violation>, all: bool) -> Vec<Violation> {
    let pending =
        PENDING.iter().find(|(name, _)| *name == rule).map_or(&[][..], |(_, paths)| paths);
    let is_due =
        |violation: &Violation| all || !pending.iter().any(|path| violation.path.starts_with(path));
    violations.into_iter().filter(is_due).collect()
}
