//! Paths for which a rule is not enforced yet; `cargo xtask tidy --all` lists what is left there.
use super::Violation;

const EVERYWHERE: &[&str] = &["config/", "crates/", "fuzz/", "tests/"];

const PENDING: [(&str, &[&str]); 5] = [
    ("layers", EVERYWHERE),
    ("circles", EVERYWHERE),
    ("types", EVERYWHERE),
    ("comments", EVERYWHERE),
    ("bindings", EVERYWHERE),
];

/// Drops violations that are pending, unless `all` are wanted.
pub(super) fn due(rule: &str, violations: Vec<Violation>, all: bool) -> Vec<Violation> {
    let pending =
        PENDING.iter().find(|(name, _)| *name == rule).map_or(&[][..], |(_, paths)| paths);
    let is_due =
        |violation: &Violation| all || !pending.iter().any(|path| violation.path.starts_with(path));
    violations.into_iter().filter(is_due).collect()
}
