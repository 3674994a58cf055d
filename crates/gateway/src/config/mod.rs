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
pub(crate) mod memory;
mod original;
mod reference;
mod section;
mod source;
mod variable;
mod yaml;

#[cfg(test)]
#[cfg(feature = "broker")]
mod tests;

use std::path::Path;

use quadrille_core::{Limits, OnSlow, Policies, Policy};
use quadrille_identity::Secret;
use serde::{Deserialize, Serialize};

use self::source::File;
pub(crate) use self::{
    address::Address,
    auth::Auth,
    error::Error,
    section::{Format, Log, Server, Tls},
    source::Sources,
};

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
type Agents = quadrille_agents::Config;
#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
type Agents = absent::Absent<absent::Relay>;

#[cfg(feature = "relay")]
type Relay = quadrille_relay::Config;
#[cfg(not(feature = "relay"))]
type Relay = absent::Absent<absent::Relay>;

#[cfg(feature = "broker")]
type Broker = quadrille_broker::Config;
#[cfg(not(feature = "broker"))]
type Broker = absent::Absent<absent::Broker>;

#[cfg(feature = "rooms")]
type Rooms = quadrille_rooms::Config;
#[cfg(not(feature = "rooms"))]
type Rooms = absent::Absent<absent::Rooms>;

#[cfg(feature = "workflows")]
type Workflows = quadrille_workflows::Config;
#[cfg(not(feature = "workflows"))]
type Workflows = absent::Absent<absent::Workflows>;

#[cfg(any(feature = "rooms", feature = "workflows"))]
type Store = quadrille_store::Config;
#[cfg(not(any(feature = "rooms", feature = "workflows")))]
type Store = absent::Absent<absent::Rooms>;

#[cfg(any(feature = "rooms", feature = "workflows"))]
type Files = quadrille_store::files::Config;
#[cfg(not(any(feature = "rooms", feature = "workflows")))]
type Files = absent::Absent<absent::Rooms>;

#[cfg(feature = "otel")]
type Otel = section::Otel;
#[cfg(not(feature = "otel"))]
type Otel = absent::Absent<absent::Otel>;

/// Everything that can be configured. The comments for users are in [`reference`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) auth: Auth,
    pub(crate) limits: Limits,
    pub(crate) topics: Policies,
    #[cfg_attr(
        not(any(feature = "relay", feature = "rooms", feature = "workflows")),
        serde(skip_serializing)
    )]
    pub(crate) agents: Agents,
    #[cfg_attr(not(feature = "relay"), serde(skip_serializing))]
    pub(crate) relay: Relay,
    #[cfg_attr(not(feature = "rooms"), serde(skip_serializing))]
    pub(crate) rooms: Rooms,
    #[cfg_attr(not(feature = "workflows"), serde(skip_serializing))]
    pub(crate) workflows: Workflows,
    #[cfg_attr(not(feature = "broker"), serde(skip_serializing))]
    pub(crate) broker: Broker,
    #[cfg_attr(not(any(feature = "rooms", feature = "workflows")), serde(skip_serializing))]
    pub(crate) store: Store,
    #[cfg_attr(not(any(feature = "rooms", feature = "workflows")), serde(skip_serializing))]
    pub(crate) files: Files,
    pub(crate) log: Log,
    #[cfg_attr(not(feature = "otel"), serde(skip_serializing))]
    pub(crate) otel: Otel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            auth: Auth::default(),
            limits: Limits::default(),
            topics: topics(),
            agents: Agents::default(),
            relay: Relay::default(),
            rooms: Rooms::default(),
            workflows: Workflows::default(),
            broker: Broker::default(),
            store: Store::default(),
            files: Files::default(),
            log: Log::default(),
            otel: Otel::default(),
        }
    }
}

/// Who watches a job is shown how far it is, not every step of the way there.
fn topics() -> Policies {
    let mut policies = Policies::from(Policy::default());
    let chat = Policy { on_slow: OnSlow::Coalesce, ..Policy::default() };
    policies.0.insert("chat".to_owned(), chat);
    policies
}

impl Config {
    /// The configuration that `file` and `environment` make, and where each value came from.
    /// Without `file`, the one in the working directory is read if there is one.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &[(String, String)],
    ) -> Result<(Self, Sources), Error> {
        Self::of(File::read(file)?, environment)
    }

    /// [`Self::load`] with the file as it was read.
    fn of(file: Option<File>, environment: &[(String, String)]) -> Result<(Self, Sources), Error> {
        let sources = Sources::read(file, environment)?;
        let blame = |wrong: check::Wrong| sources.blame(&wrong.key, wrong.expected);
        // First, or the complaint would be about what is in a section that does not exist.
        check::namespaces(sources.names_in("topics")).map_err(blame)?;
        let config: Self = sources.extract()?;
        check::check(&config).map_err(blame)?;
        Ok((config, sources))
    }

    /// As TOML that can be loaded again. Secrets are in comments, and not shown in these.
    pub(crate) fn to_toml(&self) -> String {
        let toml = toml::to_string(self).expect("every value was read from TOML or has a place");
        let hide = |line: &str| {
            let comment = if line.contains(Secret::SHOWN) { "# " } else { "" };
            format!("{comment}{line}\n")
        };
        toml.lines().map(hide).collect()
    }

    /// The default configuration, with a comment on every key.
    pub(crate) fn reference() -> String {
        reference::annotate(&Self::default().to_toml())
    }
}
