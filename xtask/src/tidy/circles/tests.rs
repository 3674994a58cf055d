//! Circles that are planted, and structures that are none.
use super::check;
use crate::tidy::{syntax, tree::of};

/// File, line and the name used, of each violation.
fn found(files: &[(&str, &str)]) -> Vec<(String, usize, String)> {
    let crates = syntax::crates(&of(files)).unwrap();
    let violations = check(&crates).into_iter().map(|violation| {
        let name = violation.message.split(' ').nth(1).unwrap_or_default().to_owned();
        (violation.path.replace("crates/a/src/", ""), violation.line, name)
    });
    violations.collect()
}

fn expected(violations: &[(&str, usize, &str)]) -> Vec<(String, usize, String)> {
    violations.iter().map(|&(path, line, name)| (path.into(), line, name.into())).collect()
}

#[test]
fn a_circle_of_three_is_found_in_imports_paths_macros_and_attributes() {
    let root = "mod b;\nmod c;\nmod d;\nmod e;\nmod f;\npub use b::B;\n";
    let files = [
        ("crates/a/src/lib.rs", root),
        ("crates/a/src/b.rs", "pub struct B;\nfn c() { super::c::run() }\n"),
        ("crates/a/src/c.rs", "pub fn run() { log!(a = crate::d::D::new(), b.run()) }\n"),
        ("crates/a/src/d.rs", "pub struct D;\n#[error(\"{}\", crate::e::E)]\nstruct Failure;\n"),
        ("crates/a/src/e.rs", "use crate::{B, c};\npub const E: usize = 1;\n"),
        ("crates/a/src/f.rs", "use crate::{B, d::D};\n"),
    ];
    let circle = [("b.rs", 2, "run"), ("c.rs", 1, "D"), ("d.rs", 2, "E"), ("e.rs", 1, "B")];
    assert_eq!(found(&files), expected(&circle));
}

#[test]
fn a_module_depends_on_the_one_out_of_which_it_takes_a_name() {
    let files = [
        ("crates/a/src/lib.rs", "mod b;\nmod c;\nmod d;\n"),
        ("crates/a/src/b.rs", "use crate::c::Inner;\npub struct B;\n"),
        ("crates/a/src/c/mod.rs", "mod inner;\npub(crate) use inner::*;\nuse crate::d::D;\n"),
        ("crates/a/src/c/inner.rs", "pub struct Inner;\n"),
        ("crates/a/src/d.rs", "use crate::b::B;\npub struct D;\n"),
    ];
    let circle = [("b.rs", 1, "Inner"), ("c/mod.rs", 3, "D"), ("d.rs", 1, "B")];
    assert_eq!(found(&files), expected(&circle));
}

#[test]
fn the_parts_of_a_module_are_looked_at_without_it() {
    let root = "mod b;\nstruct Root;\nfn run() { b::run() }\n";
    let parent = "mod c;\nmod d;\npub struct B;\npub fn run() { c::run(); d::run() }\n";
    let child = "use super::B;\nuse crate::Root;\npub fn run() {}\n";
    let whole = [
        ("crates/a/src/lib.rs", root),
        ("crates/a/src/b.rs", parent),
        ("crates/a/src/b/c.rs", child),
        ("crates/a/src/b/d.rs", child),
    ];
    assert_eq!(found(&whole), []);
    let parts = [
        ("crates/a/src/lib.rs", "mod b;\n"),
        ("crates/a/src/b.rs", "mod c;\nmod d;\nmod e;\npub fn run() { c::run() }\n"),
        ("crates/a/src/b/c.rs", "use super::{run, d::D};\npub(crate) fn run() {}\n"),
        ("crates/a/src/b/d.rs", "use super::e::E;\npub struct D;\n"),
        ("crates/a/src/b/e.rs", "use super::c;\npub struct E;\nfn run() { c::run() }\n"),
    ];
    let circle = [("b/c.rs", 1, "D"), ("b/d.rs", 1, "E"), ("b/e.rs", 3, "run")];
    assert_eq!(found(&parts), expected(&circle));
}

#[test]
fn two_modules_and_code_for_tests_are_no_circle() {
    let test =
        "#[cfg(test)]\nmod tests { use crate::d::D; }\n#[cfg(any(test, fuzzing))]\nmod fuzz;\n";
    let b = format!("use crate::c::C;\npub struct B;\n{test}");
    let files = [
        ("crates/a/src/lib.rs", "mod b;\nmod c;\nmod d;\n"),
        ("crates/a/src/b.rs", b.as_str()),
        ("crates/a/src/b/fuzz.rs", "use crate::d::D;\n"),
        ("crates/a/src/c.rs", "use crate::b::B;\npub struct C;\n"),
        ("crates/a/src/d.rs", "use crate::c::C;\npub struct D;\n"),
    ];
    assert_eq!(found(&files), []);
}

#[test]
fn the_dispatch_of_operations_is_allowed() {
    let files = [
        ("crates/tabular/src/lib.rs", "mod op;\nmod operation;\n"),
        ("crates/tabular/src/op.rs", "pub mod map;\npub mod bind;\n"),
        ("crates/tabular/src/op/map.rs", "use crate::operation::Outcome;\npub struct Map;\n"),
        ("crates/tabular/src/op/bind.rs", "use crate::operation::Outcome;\npub struct Bind;\n"),
        (
            "crates/tabular/src/operation.rs",
            "use crate::op::{map::Map, bind::Bind};\npub struct Outcome;\n",
        ),
    ];
    assert_eq!(found(&files), []);
}
