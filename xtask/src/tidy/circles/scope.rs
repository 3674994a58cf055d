//! The names that the modules of a crate define, import and use.
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Ident, ImplItemFn, Item, ItemUse, Macro, MetaList, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::tidy::syntax::{self, Crate};

/// Names of a module. One that is written in its parent's file has the same file.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The root is its own parent.
    pub(super) parent: usize,
    pub(super) file: usize,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    pub(super) imports: BTreeMap<String, Vec<String>>,
    pub(super) globs: Vec<Vec<String>>,
    /// Paths in code, and in imports that are no re-exports.
    pub(super) used: Vec<Used>,
}

#[derive(Debug)]
pub(super) struct Used {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// The modules of a crate, its root first.
pub(super) fn scopes(of: &Crate) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let mut places: BTreeMap<&[String], usize> = BTreeMap::new();
    for (file, source) in of.files.iter().enumerate() {
        let parent = source.module.split_last().and_then(|(_, path)| places.get(path).copied());
        let at = add(&mut scopes, parent.unwrap_or_default(), file, &source.syntax.items);
        if let (Some(parent), Some(name)) = (parent, source.module.last()) {
            scopes[parent].children.insert(name.clone(), at);
        }
        places.insert(&source.module, at);
    }
    scopes
}

fn add(scopes: &mut Vec<Scope>, parent: usize, file: usize, items: &[Item]) -> usize {
    let at = scopes.len();
    scopes.push(Scope { parent, file, ..Scope::default() });
    for item in items.iter().filter(|item| !syntax::is_for_tests(syntax::attributes(item))) {
        if let Item::Mod(item) = item {
            if let Some((_, items)) = &item.content {
                let child = add(scopes, at, file, items);
                scopes[at].children.insert(item.ident.to_string(), child);
            }
        } else {
            scopes[at].items.extend(name(item).map(ToString::to_string));
            scopes[at].visit_item(item);
        }
    }
    at
}

fn name(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}

impl Scope {
    fn import(&mut self, tree: &UseTree, path: &[String], is_private: bool) {
        let join = |name: &Ident| {
            let name = (name != "self").then(|| name.to_string());
            path.iter().cloned().chain(name).collect::<Vec<_>>()
        };
        let (alias, ident) = match tree {
            UseTree::Path(below) => {
                return self.import(&below.tree, &join(&below.ident), is_private);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path, is_private));
            }
            UseTree::Glob(_) => return self.globs.push(path.to_vec()),
            UseTree::Name(leaf) => (&leaf.ident, &leaf.ident),
            UseTree::Rename(leaf) => (&leaf.rename, &leaf.ident),
        };
        let imported = join(ident);
        if is_private {
            self.used.push(Used { path: imported.clone(), line: line(ident) });
        }
        let alias = if alias == "self" { path.last().cloned() } else { Some(alias.to_string()) };
        self.imports.extend(alias.map(|alias| (alias, imported)));
    }

    /// Finds paths in the arguments of a macro or an attribute. A method is not a path.
    fn scan(&mut self, tokens: TokenStream) {
        let mut used = Used { path: Vec::new(), line: 0 };
        let mut before = String::new();
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if before != "::" {
                        let next = Used { path: Vec::new(), line: line(&word) };
                        self.used.push(mem::replace(&mut used, next));
                    }
                    if before != "." {
                        used.path.push(word.to_string());
                    }
                    before.clear();
                }
                TokenTree::Punct(mark) => before.push(mark.as_char()),
                TokenTree::Group(group) => {
                    before.clear();
                    self.scan(group.stream());
                }
                TokenTree::Literal(_) => before.clear(),
            }
        }
        self.used.push(used);
    }
}

fn line(word: &Ident) -> usize {
    word.span().start().line
}

impl<'ast> Visit<'ast> for Scope {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let is_private = matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, &[], is_private);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let (None, Some(first)) = (path.leading_colon, path.segments.first()) {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.used.push(Used { path: names, line: line(&first.ident) });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        self.scan(item.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.scan(list.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !syntax::is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}
