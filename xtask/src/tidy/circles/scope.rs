//! The names that the modules of a crate define, import and use, and the files behind them.
use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Ident, ImplItemFn, Item, ItemUse, Macro, MetaList, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::tidy::syntax::{self, Crate};

/// Imports of imports that are followed; the compiler has refused longer circles of them.
const IMPORTS: usize = 16;

/// A module's names. One that is written in its parent's file has the same file.
#[derive(Debug, Default)]
struct Module {
    parent: usize,
    file: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    used: Vec<Used>,
}

/// A path in code, or in an import that is no re-export.
#[derive(Debug)]
struct Used {
    path: Vec<String>,
    line: usize,
}

/// File `from` uses `name` of file `to`.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) name: String,
    pub(super) line: usize,
}

#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    ItemOf(usize),
}

/// A file depends on the one that defines a name, whatever re-exports it on the way.
pub(super) fn edges(of: &Crate) -> Vec<Edge> {
    let modules = modules(of);
    let mut edges = Vec::new();
    for (at, module) in modules.iter().enumerate() {
        for used in &module.used {
            let Some(Target::ItemOf(defined)) = resolve(&modules, at, &used.path, 0) else {
                continue;
            };
            let facade = used.path.split_last().map(|(_, path)| path);
            let facade = facade.and_then(|path| resolve(&modules, at, path, 0));
            let facade = facade.and_then(|target| match target {
                Target::Module(facade) if !is_within(&modules, at, facade) => Some(facade),
                _ => None,
            });
            for to in [Some(defined), facade].into_iter().flatten() {
                let (from, to) = (module.file, modules[to].file);
                if from != to {
                    let name = used.path.last().cloned().unwrap_or_default();
                    edges.push(Edge { from, to, name, line: used.line });
                }
            }
        }
    }
    edges
}

fn is_within(modules: &[Module], mut at: usize, ancestor: usize) -> bool {
    while at != ancestor && at != 0 {
        at = modules[at].parent;
    }
    at == ancestor
}

fn modules(of: &Crate) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut places: BTreeMap<&[String], usize> = BTreeMap::new();
    for (file, source) in of.files.iter().enumerate() {
        let parent = source.module.split_last().and_then(|(_, path)| places.get(path).copied());
        let at = add(&mut modules, parent.unwrap_or_default(), file, &source.syntax.items);
        if let (Some(parent), Some(name)) = (parent, source.module.last()) {
            modules[parent].children.insert(name.clone(), at);
        }
        places.insert(&source.module, at);
    }
    modules
}

fn add(modules: &mut Vec<Module>, parent: usize, file: usize, items: &[Item]) -> usize {
    let at = modules.len();
    modules.push(Module { parent, file, ..Module::default() });
    for item in items.iter().filter(|item| !syntax::is_for_tests(syntax::attributes(item))) {
        if let Item::Mod(item) = item {
            if let Some((_, items)) = &item.content {
                let child = add(modules, at, file, items);
                modules[at].children.insert(item.ident.to_string(), child);
            }
        } else {
            modules[at].items.extend(name(item).map(ToString::to_string));
            modules[at].visit_item(item);
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

fn resolve(modules: &[Module], from: usize, path: &[String], imports: usize) -> Option<Target> {
    let (first, rest) = path.split_first()?;
    let mut target = match first.as_str() {
        "crate" => Target::Module(0),
        "self" => Target::Module(from),
        "super" => Target::Module(modules[from].parent),
        _ => look_up(modules, from, first, rest.is_empty(), imports)?,
    };
    for (n, name) in rest.iter().enumerate() {
        let Target::Module(at) = target else { break };
        target = if name == "super" {
            Target::Module(modules[at].parent)
        } else {
            // A name that is not found there was made by a macro there.
            let found = look_up(modules, at, name, n + 1 == rest.len(), imports);
            found.unwrap_or(Target::ItemOf(at))
        };
    }
    Some(target)
}

fn look_up(
    modules: &[Module],
    at: usize,
    name: &str,
    is_last: bool,
    imports: usize,
) -> Option<Target> {
    if imports > IMPORTS {
        return None;
    }
    let module = &modules[at];
    let child = module.children.get(name).map(|&child| Target::Module(child));
    if child.is_some() && !is_last {
        return child;
    }
    if module.items.contains(name) {
        return Some(Target::ItemOf(at));
    }
    let imported = module.imports.get(name);
    let imported = imported.and_then(|path| resolve(modules, at, path, imports + 1));
    let globbed = || {
        module.globs.iter().find_map(|path| match resolve(modules, at, path, imports + 1)? {
            Target::Module(from) if from != at => {
                look_up(modules, from, name, is_last, imports + 1)
            }
            _ => None,
        })
    };
    imported.or(child).or_else(globbed)
}

impl Module {
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
            self.used.push(Used { path: imported.clone(), line: ident.span().start().line });
        }
        let alias = if alias == "self" { path.last().cloned() } else { Some(alias.to_string()) };
        self.imports.extend(alias.map(|alias| (alias, imported)));
    }

    /// The paths in what is given to a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.end(&mut path, line);
                        line = word.span().start().line;
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path, line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.used.push(Used { path: std::mem::take(path), line });
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let is_private = matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, &[], is_private);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
            self.used.push(Used { path: names, line });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        self.scan(item.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !syntax::is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.scan(list.tokens.clone());
    }
}
