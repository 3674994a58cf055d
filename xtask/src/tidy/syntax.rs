//! The crates as they are compiled into the product, parsed file by file.
use std::collections::BTreeSet;

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, Meta};

use super::tree::Source;

pub(super) struct Crate {
    /// Begins with the root; a module stands behind its parent.
    pub(super) files: Vec<File>,
}

pub(super) struct File {
    pub(super) path: String,
    /// The path of the module, from the root of its crate.
    pub(super) module: Vec<String>,
    pub(super) syntax: syn::File,
}

/// Parses `crates/*`, libraries and binaries, without modules for tests and fuzzing. Fails at a file
/// that does not parse.
pub(super) fn crates(tree: &[Source]) -> Result<Vec<Crate>> {
    let directories = tree.iter().filter_map(|source| {
        let mut parts = source.path.split('/');
        (parts.next()? == "crates").then_some(())?;
        Some(format!("crates/{}/src", parts.next()?))
    });
    let directories: BTreeSet<String> = directories.collect();
    let mut crates = Vec::new();
    for directory in directories {
        let roots = ["lib.rs", "main.rs"].map(|name| format!("{directory}/{name}"));
        for root in roots.iter().filter_map(|path| find(tree, path)) {
            let mut files = Vec::new();
            read(tree, root, &directory, &[], &mut files)?;
            crates.push(Crate { files });
        }
    }
    Ok(crates)
}

/// Reads a file and those of the modules it declares, which are in `directory`.
fn read(
    tree: &[Source],
    source: &Source,
    directory: &str,
    module: &[String],
    files: &mut Vec<File>,
) -> Result<()> {
    let syntax = syn::parse_file(&source.text).with_context(|| source.path.clone())?;
    let declared = syntax.items.iter().filter_map(|item| match item {
        Item::Mod(item) if item.content.is_none() && !is_for_tests(&item.attrs) => {
            Some(item.ident.to_string())
        }
        _ => None,
    });
    let declared: Vec<String> = declared.collect();
    files.push(File { path: source.path.clone(), module: module.to_owned(), syntax });
    for name in declared {
        let below = format!("{directory}/{name}");
        let paths = [format!("{below}.rs"), format!("{below}/mod.rs")];
        if let Some(source) = paths.iter().find_map(|path| find(tree, path)) {
            let module: Vec<_> = module.iter().cloned().chain([name]).collect();
            read(tree, source, &below, &module, files)?;
        }
    }
    Ok(())
}

fn find<'a>(tree: &'a [Source], path: &str) -> Option<&'a Source> {
    tree.iter().find(|source| source.path == path)
}

/// Whether an item is compiled for tests or fuzzing alone.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_tests(list.tokens.clone()),
        _ => false,
    })
}

fn asks_for_tests(tokens: TokenStream) -> bool {
    let mut negated = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => {
            negated = word == "not";
            word == "test" || word == "fuzzing"
        }
        TokenTree::Group(group) => !negated && asks_for_tests(group.stream()),
        _ => false,
    })
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
