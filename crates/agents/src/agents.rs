//! The configured agents, opened but not yet asked.
use quadrille_core::Life;

use crate::{BadConfig, Config, Settings, dialect, named_agent::NamedAgent};

/// Section `agents` of the configuration, with a dialect opened for each agent.
#[derive(Debug)]
pub struct Agents {
    pub(crate) config: Config,
    pub(crate) all: Vec<NamedAgent>,
}

impl Agents {
    /// Opens the agents of `config`, which was [checked](Config::check). Their background work runs
    /// on `life`. Fails with the first key of an agent that cannot be used.
    pub fn open(config: Config, life: &Life) -> Result<Self, BadConfig> {
        let open = |(name, settings): (&String, &Settings)| {
            let agent = dialect::open(name, settings, life)?;
            Ok(NamedAgent::new(name, agent, settings))
        };
        let all = config.named.iter().map(open).collect::<Result<_, BadConfig>>()?;
        Ok(Self { config, all })
    }
}
