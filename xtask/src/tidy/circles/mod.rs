//! No more than two modules of a crate depend on each other.
//!
//! The root of a crate re-exports and composes, and is part of no circle. A module and the modules
//! inside it may use each other: those inside are checked without it.
mod edges;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::edges::Edge;
use super::{
    Violation,
    syntax::{Crate, File},
};

/// Two modules may be one idea in two files.
const MOST: usize = 2;

/// The only circle allowed: an enum of operations dispatches to its arms, which make its results.
const DISPATCH: (&str, &str) = ("crates/tabular/src/operation.rs", "crates/tabular/src/op/");

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(check_crate).collect()
}

fn check_crate(of: &Crate) -> Vec<Violation> {
    let path = |file: usize| of.files[file].path.as_str();
    let mut edges = edges::edges(of);
    edges.retain(|edge| path(edge.from) != DISPATCH.0 || !path(edge.to).starts_with(DISPATCH.1));
    let mut violations = Vec::new();
    for circle in circles(&of.files, &(1..of.files.len()).collect(), &edges) {
        let inside = |edge: &&Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
        let mut uses: BTreeMap<_, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for edge in edges.iter().filter(inside) {
            let first = (edge.line, BTreeSet::new());
            uses.entry((edge.from, edge.to)).or_insert(first).1.insert(&edge.name);
        }
        for ((from, to), (line, names)) in uses {
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!(
                "uses {names} of {}, in a circle of {} modules; move the shared part below both",
                path(to),
                circle.len(),
            );
            violations.push(Violation::new(path(from), line, message));
        }
    }
    violations
}

/// Finds the strongly connected components of more than [`MOST`] modules.
fn circles(files: &[File], among: &BTreeSet<usize>, edges: &[Edge]) -> Vec<BTreeSet<usize>> {
    let reached: BTreeMap<_, _> =
        among.iter().map(|&file| (file, reach(file, among, edges))).collect();
    let mut circles = Vec::new();
    for (file, from_here) in &reached {
        let back = from_here.iter().copied().filter(|other| reached[other].contains(file));
        let mut circle: BTreeSet<usize> = back.collect();
        if circle.len() <= MOST || circle.first() != Some(file) {
            continue;
        }
        let is_head = |&head: &usize| {
            circle.iter().all(|&part| files[part].module.starts_with(&files[head].module))
        };
        match circle.iter().copied().find(is_head) {
            Some(head) => {
                circle.remove(&head);
                circles.extend(self::circles(files, &circle, edges));
            }
            None => circles.push(circle),
        }
    }
    circles
}

fn reach(file: usize, among: &BTreeSet<usize>, edges: &[Edge]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for edge in edges.iter().filter(|edge| edge.from == file && among.contains(&edge.to)) {
            if reached.insert(edge.to) {
                next.push(edge.to);
            }
        }
    }
    reached
}
