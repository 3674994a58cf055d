//! The example configuration is the one that the program prints.
use anyhow::Result;
use xshell::cmd;

use super::{Violation, tree::Source};
use crate::project::Project;

const FILE: &str = "config/quadrille.toml";
const COMMAND: &str = "cargo run -p quadrille -- print-config --default";

pub(super) fn check(project: &Project, tree: &[Source]) -> Result<Option<Violation>> {
    let sh = &project.sh;
    let printed = cmd!(sh, "cargo run --quiet -p quadrille -- print-config --default").quiet();
    let printed = printed.output()?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let written = tree.iter().find(|source| source.path == FILE).map(|source| &*source.text);
    Ok(compare(&printed, written.unwrap_or_default()))
}

fn compare(printed: &str, written: &str) -> Option<Violation> {
    if printed == written {
        return None;
    }
    let same = printed.lines().zip(written.lines()).take_while(|(a, b)| a == b).count();
    let message = format!("differs from what the program prints; run `{COMMAND} > {FILE}`");
    Some(Violation::new(FILE, same + 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        let line = |printed, written| compare(printed, written).map(|found| found.line);
        let found = [line("a\nb\n", "a\nb\n"), line("a\nb\n", "a\nc\n"), line("a\nb\n", "a\n")];
        assert_eq!(found, [None, Some(2), Some(2)]);
    }
}
