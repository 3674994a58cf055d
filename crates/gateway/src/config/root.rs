//! The configuration as a whole.
use quadrille_core::{Limits, OnSlow, Policies, Policy};
use quadrille_identity::Secret;
use serde::{Deserialize, Serialize};

#[allow(unused_imports, reason = "a build with every feature has no section that is absent")]
use super::absent;
use super::{
    auth::AuthConfig,
    section::{LogConfig, OtelConfig, Server},
};

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
type AgentsConfig = quadrille_agents::Config;
#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
type AgentsConfig = absent::Absent<absent::RelayFeature>;

#[cfg(feature = "relay")]
type RelayConfig = quadrille_relay::Config;
#[cfg(not(feature = "relay"))]
type RelayConfig = absent::Absent<absent::RelayFeature>;

#[cfg(feature = "broker")]
type BrokerConfig = quadrille_broker::Config;
#[cfg(not(feature = "broker"))]
type BrokerConfig = absent::Absent<absent::BrokerFeature>;

#[cfg(feature = "rooms")]
type RoomsConfig = quadrille_rooms::Config;
#[cfg(not(feature = "rooms"))]
type RoomsConfig = absent::Absent<absent::RoomsFeature>;

#[cfg(feature = "workflows")]
type WorkflowsConfig = quadrille_workflows::Config;
#[cfg(not(feature = "workflows"))]
type WorkflowsConfig = absent::Absent<absent::WorkflowsFeature>;

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
type StoreConfig = quadrille_store::Config;
#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
type StoreConfig = absent::Absent<absent::RelayFeature>;

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
type TurnsConfig = quadrille_turns::Config;
#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
type TurnsConfig = absent::Absent<absent::RelayFeature>;

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
type FilesConfig = quadrille_store::files::Config;
#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
type FilesConfig = absent::Absent<absent::RelayFeature>;

/// All sections. The comments for users are in `reference`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) auth: AuthConfig,
    pub(crate) limits: Limits,
    pub(crate) topics: Policies,
    #[cfg_attr(
        not(any(feature = "relay", feature = "rooms", feature = "workflows")),
        serde(skip_serializing)
    )]
    pub(crate) agents: AgentsConfig,
    #[cfg_attr(not(feature = "relay"), serde(skip_serializing))]
    pub(crate) relay: RelayConfig,
    #[cfg_attr(not(feature = "rooms"), serde(skip_serializing))]
    pub(crate) rooms: RoomsConfig,
    #[cfg_attr(not(feature = "workflows"), serde(skip_serializing))]
    pub(crate) workflows: WorkflowsConfig,
    #[cfg_attr(not(feature = "broker"), serde(skip_serializing))]
    pub(crate) broker: BrokerConfig,
    #[cfg_attr(
        not(any(feature = "relay", feature = "rooms", feature = "workflows")),
        serde(skip_serializing)
    )]
    pub(crate) store: StoreConfig,
    #[cfg_attr(
        not(any(feature = "relay", feature = "rooms", feature = "workflows")),
        serde(skip_serializing)
    )]
    pub(crate) turns: TurnsConfig,
    #[cfg_attr(
        not(any(feature = "relay", feature = "rooms", feature = "workflows")),
        serde(skip_serializing)
    )]
    pub(crate) files: FilesConfig,
    pub(crate) log: LogConfig,
    #[cfg_attr(not(feature = "otel"), serde(skip_serializing))]
    pub(crate) otel: OtelConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            auth: AuthConfig::default(),
            limits: Limits::default(),
            topics: topics(),
            agents: AgentsConfig::default(),
            relay: RelayConfig::default(),
            rooms: RoomsConfig::default(),
            workflows: WorkflowsConfig::default(),
            broker: BrokerConfig::default(),
            store: StoreConfig::default(),
            turns: TurnsConfig::default(),
            files: FilesConfig::default(),
            log: LogConfig::default(),
            otel: OtelConfig::default(),
        }
    }
}

/// Default policies: slow watchers of a chat get its current state, not every record.
fn topics() -> Policies {
    let mut policies = Policies::from(Policy::default());
    let chat = Policy { on_slow: OnSlow::Coalesce, ..Policy::default() };
    policies.0.insert("chat".to_owned(), chat);
    policies
}

impl Config {
    /// Renders TOML that can be loaded again. Secrets are hidden, in comments.
    pub(crate) fn to_toml(&self) -> String {
        let toml = toml::to_string(self).expect("every value was read from TOML or has a place");
        let hide = |line: &str| {
            let comment = if line.contains(Secret::SHOWN) { "# " } else { "" };
            format!("{comment}{line}\n")
        };
        toml.lines().map(hide).collect()
    }
}
