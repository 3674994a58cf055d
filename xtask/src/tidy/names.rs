//! No file and no directory has a name that says nothing.
use std::collections::BTreeSet;

use super::{Violation, tree::Source};

const EMPTY: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"];

pub(super) fn check(tree: &[Source]) -> Vec<Violation> {
    let mut paths = BTreeSet::new();
    for source in tree {
        let mut path = source.path.as_str();
        paths.insert(path);
        while let Some((directory, _)) = path.rsplit_once('/') {
            paths.insert(directory);
            path = directory;
        }
    }
    let empty = paths.into_iter().filter(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        EMPTY.contains(&name.split('.').next().unwrap_or(name))
    });
    let violation = |path| {
        Violation::new(path, 1, "the name says nothing; name it for the one concept it holds")
    };
    empty.map(violation).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn empty_names_of_files_and_directories_are_found() {
        let tree = of(&[
            ("src/utils.rs", ""),
            ("src/common/a.rs", ""),
            ("src/common/b.rs", ""),
            ("src/commonplace.rs", ""),
            ("src/help.rs", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|found| found.path).collect();
        assert_eq!(found, ["src/common", "src/utils.rs"]);
    }
}
