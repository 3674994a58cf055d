//! A word has one meaning: no two types of the product have the same name.
use std::collections::BTreeMap;

use syn::{
    Ident, Item,
    visit::{self, Visit},
};

use super::{
    Violation,
    syntax::{self, Crate},
};

/// Names that mean the same wherever they stand, and their meaning.
const ALLOWED: [(&str, &str); 14] = [
    ("BadConfig", "a crate's configuration is invalid"),
    ("Config", "a crate's or a module's section of the configuration"),
    ("Entry", "a value of the map beside it"),
    ("Error", "the failure of a crate or a module"),
    ("Inner", "the shared part of the handle beside it"),
    ("Kind", "the variants of the type beside it"),
    ("Limits", "the bounds of a crate"),
    ("Reader", "reads a format, in the module that is called after it"),
    ("Rows", "the rows of a format, in the module that is called after it"),
    ("Shared", "the shared part of the handle beside it"),
    ("StartError", "a crate cannot be started"),
    ("State", "the state of a router or a machine, in its module"),
    ("Traces", "one of two, chosen by a feature"),
    ("Writer", "writes a format, in the module that is called after it"),
];

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let mut named: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for file in crates.iter().flat_map(|of| &of.files) {
        let mut types = Types::default();
        types.visit_file(&file.syntax);
        for name in types.0 {
            let places = named.entry(name.to_string()).or_default();
            // Twice in a file is one of two, chosen by a feature.
            if places.last().is_none_or(|(path, _)| *path != file.path) {
                places.push((&file.path, name.span().start().line));
            }
        }
    }
    let mut violations = Vec::new();
    for (name, places) in named {
        if places.len() == 1 || ALLOWED.iter().any(|(allowed, _)| *allowed == name) {
            continue;
        }
        for &(path, line) in &places {
            let others = places.iter().filter(|&&place| place != (path, line));
            let others: Vec<_> = others.map(|(path, line)| format!("{path}:{line}")).collect();
            let message = format!("`{name}` is also defined in {}; rename one", others.join(", "));
            violations.push(Violation::new(path, line, message));
        }
    }
    violations
}

#[derive(Default)]
struct Types<'ast>(Vec<&'ast Ident>);

impl<'ast> Visit<'ast> for Types<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        if syntax::is_for_tests(syntax::attributes(item)) {
            return;
        }
        match item {
            Item::Enum(item) => self.0.push(&item.ident),
            Item::Struct(item) => self.0.push(&item.ident),
            Item::Trait(item) => self.0.push(&item.ident),
            Item::Type(item) => self.0.push(&item.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn a_name_that_two_types_share_is_found_at_both() {
        let tree = of(&[
            ("crates/a/src/lib.rs", "mod b;\npub struct Config;\npub struct Memory;\n"),
            ("crates/a/src/b.rs", "enum Config {}\nfn f() {\n    type Memory = u8;\n}\n"),
            (
                "crates/c/src/main.rs",
                "#[cfg(x)]\ntype One = u8;\n#[cfg(not(x))]\ntype One = u16;\n\
                 #[cfg(test)]\nmod tests { struct Memory; }\n",
            ),
            ("bench/src/main.rs", "struct Memory;\n"),
        ]);
        let found = check(&syntax::crates(&tree).unwrap());
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "crates/a/src/lib.rs:3: `Memory` is also defined in crates/a/src/b.rs:3; rename one",
            "crates/a/src/b.rs:3: `Memory` is also defined in crates/a/src/lib.rs:3; rename one",
        ];
        assert_eq!(found, expected);
    }
}
