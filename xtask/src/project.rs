//! Root of the project, and its packages as cargo knows them.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) sh: Shell,
    pub(crate) root: PathBuf,
    /// `cargo metadata` of the workspace's own packages.
    metadata: Value,
}

impl Project {
    pub(crate) fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
        let sh = Shell::new()?;
        sh.change_dir(root);
        let metadata = cmd!(sh, "cargo metadata --format-version 1 --no-deps").quiet().read()?;
        let metadata = serde_json::from_str(&metadata).context("cargo metadata is JSON")?;
        Ok(Self { sh, root: root.to_owned(), metadata })
    }

    pub(crate) fn packages(&self) -> &[Value] {
        self.metadata["packages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The features of a package, without `default`.
    pub(crate) fn features(&self, package: &str) -> Vec<String> {
        let package = self.packages().iter().find(|each| each["name"] == package);
        let features = package.and_then(|package| package["features"].as_object());
        let names = features.into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| name != "default").collect()
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        self.metadata["target_directory"].as_str().unwrap_or("target").into()
    }
}
