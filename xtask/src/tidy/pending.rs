//! Paths for which a rule is not enforced yet; `cargo xtask tidy --all` lists what is left there.
use super::Violation;

const EVERY_CRATE: &[&str] = &["crates/"];

const PENDING: [(&str, &[&str]); 3] =
    [("types", EVERY_CRATE), ("comments", &["tests/"]), ("bindings", &["crates/rooms/"])];

/// Drops violations that are pending, unless `all` are wanted.
pub(super) fn due(rule: &str, violations: Vec<Violation>, all: bool) -> Vec<Violation> {
    let pending =
        PENDING.iter().find(|(name, _)| *name == rule).map_or(&[][..], |(_, paths)| paths);
    let is_pending =
        |violation: &Violation| pending.iter().any(|path| violation.path.starts_with(path));
    violations.into_iter().filter(|violation| all || !is_pending(violation)).collect()
}
