//! Crates depend in one direction: the gateway on protocols, those on services, all on core.
use serde_json::Value;

use super::{Violation, tree::Source};

/// A crate may depend on those of lower layers only.
const LAYERS: [&[&str]; 4] = [
    &["quadrille-core"],
    &["quadrille-agents", "quadrille-socketio", "quadrille-store", "quadrille-tabular"],
    &["quadrille-broker", "quadrille-relay", "quadrille-rooms", "quadrille-workflows"],
    &["quadrille"],
];

/// What core never learns about, not even in its tests.
const NOT_IN_CORE: [&str; 3] = ["axum", "socketioxide", "sqlx"];

pub(super) fn check(tree: &[Source], packages: &[Value]) -> Vec<Violation> {
    let crates = packages.iter().filter_map(|package| {
        let manifest = tree.iter().find(|source| {
            let path = package["manifest_path"].as_str().unwrap_or_default();
            source.path.starts_with("crates/") && path.ends_with(&format!("/{}", source.path))
        });
        Some((package, manifest?))
    });
    crates.flat_map(|(package, manifest)| check_crate(package, manifest)).collect()
}

fn check_crate(package: &Value, manifest: &Source) -> Vec<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some(layer) = layer(name) else {
        let what = format!("`{name}` has no layer; add it to those in xtask/src/tidy/graph.rs");
        return vec![Violation::new(&manifest.path, 1, what)];
    };
    let mut violations = Vec::new();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    for dependency in dependencies.filter_map(|it| it["name"].as_str()) {
        let is_own = dependency == "quadrille" || dependency.starts_with("quadrille-");
        let upward = is_own && self::layer(dependency).is_none_or(|it| it >= layer);
        let foreign = layer == 0 && NOT_IN_CORE.contains(&dependency);
        if upward || foreign {
            let line = manifest.lines().find(|(_, line)| names(line, dependency));
            let what = format!("`{name}` may not depend on `{dependency}`; see ARCHITECTURE.md");
            violations.push(Violation::new(&manifest.path, line.map_or(1, |(n, _)| n), what));
        }
    }
    violations
}

fn names(line: &str, dependency: &str) -> bool {
    line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '.', '=']))
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::{super::tree::of, *};
    use serde_json::json;

    #[test]
    fn dependencies_in_the_wrong_direction_are_found() {
        let tree = of(&[
            ("crates/core/Cargo.toml", "[dependencies]\naxum-core = 1\naxum = 1\n"),
            (
                "crates/broker/Cargo.toml",
                "[dependencies]\nquadrille-core = 1\nquadrille-rooms = 1\n",
            ),
            ("crates/odd/Cargo.toml", ""),
            ("bench/Cargo.toml", ""),
        ]);
        let package = |name: &str, path: &str, dependencies: &[&str]| {
            let dependencies: Vec<_> = dependencies.iter().map(|it| json!({"name": it})).collect();
            json!({
                "name": name,
                "manifest_path": format!("/home/{path}/Cargo.toml"),
                "dependencies": dependencies,
            })
        };
        let packages = [
            package("quadrille-core", "crates/core", &["axum-core", "axum"]),
            package("quadrille-broker", "crates/broker", &["quadrille-core", "quadrille-rooms"]),
            package("quadrille-odd", "crates/odd", &[]),
            package("quadrille-bench", "bench", &["axum", "quadrille"]),
        ];
        let found = check(&tree, &packages);
        let found: Vec<_> = found.iter().map(|it| (it.path.as_str(), it.line)).collect();
        let core = ("crates/core/Cargo.toml", 3);
        assert_eq!(found, [core, ("crates/broker/Cargo.toml", 3), ("crates/odd/Cargo.toml", 1)]);
    }
}
