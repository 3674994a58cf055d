//! The files of a crate that use each other, by the names that they take.
use super::scope::{self, Scope};
use crate::tidy::syntax::Crate;

/// Imports of imports that are followed, lest two that name each other are followed for ever.
const IMPORTS: usize = 16;

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

/// A file depends on the one that defines a name, whatever re-exports it on the way, and on the
/// module out of which it takes the name, unless it is a part of that one.
pub(super) fn edges(of: &Crate) -> Vec<Edge> {
    let scopes = scope::scopes(of);
    let mut edges = Vec::new();
    for (at, scope) in scopes.iter().enumerate() {
        for used in &scope.used {
            let Some((name, sources)) = sources(&scopes, at, &used.path) else { continue };
            for to in sources.map(|source| scopes[source].file) {
                if to != scope.file {
                    let name = name.to_owned();
                    edges.push(Edge { from: scope.file, to, name, line: used.line });
                }
            }
        }
    }
    edges
}

/// The item that a path leads to or through, and the modules that have it.
fn sources<'a>(scopes: &[Scope], at: usize, path: &'a [String]) -> Option<(&'a str, [usize; 2])> {
    for (n, name) in path.iter().enumerate() {
        let (before, rest) = path.split_at(n + 1);
        let found = resolve(scopes, at, before, rest.is_empty(), 0)?;
        let Target::ItemOf(defined) = found else { continue };
        let facade = match resolve(scopes, at, path.get(..n)?, false, 0) {
            Some(Target::Module(facade)) if !is_within(scopes, at, facade) => facade,
            _ => defined,
        };
        return Some((name, [defined, facade]));
    }
    None
}

fn is_within(scopes: &[Scope], mut at: usize, ancestor: usize) -> bool {
    while at != ancestor && at != 0 {
        at = scopes[at].parent;
    }
    at == ancestor
}

/// Follows a path. Its end is an item rather than a module of the same name if it `is_whole`.
fn resolve(
    scopes: &[Scope],
    from: usize,
    path: &[String],
    is_whole: bool,
    imports: usize,
) -> Option<Target> {
    let mut target = Target::Module(from);
    for (n, name) in path.iter().enumerate() {
        let Target::Module(at) = target else { break };
        let is_last = is_whole && n + 1 == path.len();
        target = match name.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(at),
            "super" => Target::Module(scopes[at].parent),
            _ if n == 0 => look_up(scopes, at, name, is_last, imports)?,
            // A name that is not found was made there by a macro.
            _ => look_up(scopes, at, name, is_last, imports).unwrap_or(Target::ItemOf(at)),
        };
    }
    Some(target)
}

fn look_up(
    scopes: &[Scope],
    at: usize,
    name: &str,
    is_last: bool,
    imports: usize,
) -> Option<Target> {
    if imports > IMPORTS {
        return None;
    }
    let scope = &scopes[at];
    let child = scope.children.get(name).map(|&child| Target::Module(child));
    if child.is_some() && !is_last {
        return child;
    }
    if scope.items.contains(name) {
        return Some(Target::ItemOf(at));
    }
    let imported = scope.imports.get(name);
    let imported = imported.and_then(|path| resolve(scopes, at, path, is_last, imports + 1));
    let globbed = |path| match resolve(scopes, at, path, false, imports + 1)? {
        Target::Module(from) if from != at => look_up(scopes, from, name, is_last, imports + 1),
        _ => None,
    };
    imported.or(child).or_else(|| scope.globs.iter().find_map(|path| globbed(path)))
}
