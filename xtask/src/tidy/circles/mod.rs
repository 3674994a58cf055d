//! No more than two modules of a crate depend on each other.
//!
//! The root of a crate hands out and puts together; it is in no circle. A module and its own parts
//! may use each other: the parts are looked at without it.
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use self::scope::Edge;
use super::{
    Violation,
    syntax::{Crate, File},
};

/// Two modules may be one idea in two files.
const MOST: usize = 2;

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(check_crate).collect()
}

fn check_crate(of: &Crate) -> Vec<Violation> {
    let edges = scope::edges(of);
    let path = |file: usize| of.files[file].path.as_str();
    let mut violations = Vec::new();
    for circle in circles(&of.files, (1..of.files.len()).collect(), &edges) {
        let inside = |edge: &&Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
        let mut uses: BTreeMap<_, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for edge in edges.iter().filter(inside) {
            let first = (edge.line, BTreeSet::new());
            uses.entry((edge.from, edge.to)).or_insert(first).1.insert(&edge.name);
        }
        for ((from, to), (line, names)) in uses {
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let what = format!(
                "uses {names} of {}, in a circle of {} modules; move what both need below both",
                path(to),
                circle.len(),
            );
            violations.push(Violation::new(path(from), line, what));
        }
    }
    violations
}

/// The strongly connected components of more than [`MOST`] modules.
fn circles(files: &[File], among: BTreeSet<usize>, edges: &[Edge]) -> Vec<BTreeSet<usize>> {
    let reached: BTreeMap<_, _> =
        among.iter().map(|&file| (file, reach(file, &among, edges))).collect();
    let mut circles = Vec::new();
    for (file, from_here) in &reached {
        let back = from_here.iter().copied().filter(|other| reached[other].contains(file));
        let mut circle: BTreeSet<usize> = back.collect();
        if circle.len() <= MOST || circle.first() != Some(file) {
            continue;
        }
        let holds = |&head: &usize| {
            circle.iter().all(|&part| files[part].module.starts_with(&files[head].module))
        };
        match circle.iter().copied().find(holds) {
            Some(head) => {
                circle.remove(&head);
                circles.extend(self::circles(files, circle, edges));
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
