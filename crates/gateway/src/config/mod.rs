//! The configuration: built-in defaults, then a file, then environment variables.
mod absent;
mod address;
mod auth;
#[cfg(test)]
mod bounds;
mod change;
mod check;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod layer;
mod legacy;
pub(crate) mod memory;
mod reference;
mod root;
mod section;
mod source;
mod variable;
mod yaml;

#[cfg(test)]
#[cfg(feature = "broker")]
mod tests;

use std::path::Path;

use self::source::ConfigFile;
pub(crate) use self::{
    address::ListenAddress,
    error::Error,
    root::Config,
    section::{LogConfig, LogFormat, Server, Tls},
    source::Sources,
};

impl Config {
    /// Reads `file` and `environment`. Returns the configuration and the source of each value. Without
    /// `file`, the one in the working directory is read if there is one.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &[(String, String)],
    ) -> Result<(Self, Sources), Error> {
        Self::of(ConfigFile::read(file)?, environment)
    }

    /// [`Self::load`] with a file that was read.
    fn of(
        file: Option<ConfigFile>,
        environment: &[(String, String)],
    ) -> Result<(Self, Sources), Error> {
        let sources = Sources::read(file, environment)?;
        let invalid = |err: check::InvalidKey| sources.invalid(&err.key, err.expected);
        // First, or the error would be about a key of an unknown section.
        check::namespaces(sources.names_in("topics")).map_err(invalid)?;
        let config: Self = sources.extract()?;
        check::check(&config).map_err(invalid)?;
        Ok((config, sources))
    }

    /// Renders the default configuration, with a comment on every key.
    pub(crate) fn reference() -> String {
        reference::annotate(&Self::default().to_toml())
    }
}
