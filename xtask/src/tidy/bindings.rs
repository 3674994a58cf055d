//! No variable has a name that says nothing.
use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Item, Macro, PatIdent,
    visit::{self, Visit},
};

use super::{
    Violation,
    syntax::{self, Crate},
};

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in crates.iter().flat_map(|of| &of.files) {
        let mut bindings = Bindings::default();
        bindings.visit_file(&file.syntax);
        for (line, name) in bindings.0 {
            let instead = if name == "why" { "`err`" } else { "a noun" };
            let message = format!("`{name}` names nothing; call it {instead}");
            violations.push(Violation::new(&file.path, line, message));
        }
    }
    violations
}

#[derive(Default)]
struct Bindings(BTreeSet<(usize, String)>);

impl Bindings {
    fn look_at(&mut self, name: &Ident) {
        if name == "it" || name == "why" {
            self.0.insert((name.span().start().line, name.to_string()));
        }
    }

    fn scan(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => self.look_at(&name),
                TokenTree::Group(group) => self.scan(group.stream()),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Bindings {
    fn visit_item(&mut self, item: &'ast Item) {
        if !syntax::is_for_tests(syntax::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.look_at(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.scan(item.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};

    #[test]
    fn names_that_say_nothing_are_found() {
        let text = "fn f(it: u8) {\n    a.map(|it| it + 1).map_err(|why| b(why))?;\n\
                    if let Err(why) = c {}\n    assert!(a.all(|it| it > 0));\n}\n\
                    #[cfg(test)]\nmod tests { fn g(it: u8) {} }\n/// Why it is so.\nfn h(items: u8) {}\n";
        let tree = of(&[("crates/a/src/lib.rs", text), ("bench/src/main.rs", text)]);
        let found = check(&syntax::crates(&tree).unwrap());
        let found: Vec<_> =
            found.iter().map(|found| (found.line, found.message.starts_with("`it`"))).collect();
        let expected = [(1, true), (2, true), (2, false), (3, false), (4, true)];
        assert_eq!(found, expected);
    }
}
