//! Crates depend in one direction: the gateway on protocols, protocols on services, all on core.
use serde_json::Value;

use super::{Violation, tree::Source};

/// A crate may depend on those of lower layers only.
const LAYERS: [&[&str]; 6] = [
    &["quadrille-core", "quadrille-tabular"],
    &["quadrille-identity"],
    &["quadrille-agents", "quadrille-edge", "quadrille-store"],
    &["quadrille-socketio", "quadrille-turns"],
    &[
        "quadrille-api",
        "quadrille-broker",
        "quadrille-relay",
        "quadrille-rooms",
        "quadrille-workflows",
    ],
    &["quadrille"],
];

/// Dependencies that a crate never has, not even in its tests.
const NEVER: [(&str, &[&str]); 2] = [
    (
        "quadrille-core",
        &[
            "axum",
            "axum-core",
            "http",
            "http-body",
            "hyper",
            "hyper-util",
            "jsonwebtoken",
            "multer",
            "reqwest",
            "socketioxide",
            "sqlx",
        ],
    ),
    ("quadrille-socketio", &["quadrille-agents", "quadrille-store"]),
];

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
        let message = format!("`{name}` has no layer; add it to those in xtask/src/tidy/graph.rs");
        return vec![Violation::new(&manifest.path, 1, message)];
    };
    let mut violations = Vec::new();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    for dependency in dependencies.filter_map(|dependency| dependency["name"].as_str()) {
        let is_own = dependency == "quadrille" || dependency.starts_with("quadrille-");
        let upward = is_own && self::layer(dependency).is_none_or(|lower| lower >= layer);
        let is_never = |(of, never): (&str, &[&str])| of == name && never.contains(&dependency);
        if upward || NEVER.into_iter().any(is_never) {
            let line = manifest.lines().find(|(_, line)| names(line, dependency));
            let message = format!("`{name}` may not depend on `{dependency}`; see ARCHITECTURE.md");
            violations.push(Violation::new(&manifest.path, line.map_or(1, |(n, _)| n), message));
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
            (
                "crates/core/Cargo.toml",
                "[dependencies]\naxum-core = 1\nbytes = 1\naxum.workspace = true\n",
            ),
            (
                "crates/broker/Cargo.toml",
                "[dependencies]\nquadrille-core = 1\nquadrille-rooms = 1\n",
            ),
            ("crates/odd/Cargo.toml", ""),
            ("crates/socketio/Cargo.toml", "[dependencies]\nquadrille-store = 1\n"),
            ("bench/Cargo.toml", ""),
        ]);
        let package = |name: &str, path: &str, dependencies: &[&str]| {
            let dependencies: Vec<_> =
                dependencies.iter().map(|name| json!({"name": name})).collect();
            json!({
                "name": name,
                "manifest_path": format!("/home/{path}/Cargo.toml"),
                "dependencies": dependencies,
            })
        };
        let packages = [
            package("quadrille-core", "crates/core", &["axum-core", "bytes", "axum"]),
            package("quadrille-broker", "crates/broker", &["quadrille-core", "quadrille-rooms"]),
            package("quadrille-odd", "crates/odd", &[]),
            package(
                "quadrille-socketio",
                "crates/socketio",
                &["quadrille-edge", "quadrille-store"],
            ),
            package("quadrille-bench", "bench", &["axum", "quadrille"]),
        ];
        let found = check(&tree, &packages);
        let found: Vec<_> = found.iter().map(|found| (found.path.as_str(), found.line)).collect();
        let expected = [
            ("crates/core/Cargo.toml", 2),
            ("crates/core/Cargo.toml", 4),
            ("crates/broker/Cargo.toml", 3),
            ("crates/odd/Cargo.toml", 1),
            ("crates/socketio/Cargo.toml", 2),
        ];
        assert_eq!(found, expected);
    }
}
