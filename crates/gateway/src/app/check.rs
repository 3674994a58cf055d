//! `quadrille check-config`: whether the configuration could be served.
use quadrille_core::Life;

use super::{Protocols, certificates, compose, core};
use crate::{
    config::{self, Config, ListenAddress, Sources, memory::MemoryBound},
    hosts::Hosts,
};

/// Checks that the storage can be written to, as far as it is on this machine.
fn writable(config: &Config, sources: &Sources) -> Result<(), config::Error> {
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    {
        let store = config.store.check_writable();
        store.map_err(|err| sources.invalid("store.url", err.to_string()))?;
        let files = config.files.check_writable();
        files.map_err(|err| sources.invalid("files.url", err.to_string()))?;
    }
    #[cfg(feature = "workflows")]
    if config.workflows.enabled {
        let checked = quadrille_store::check_folder(&config.workflows.scratch);
        checked.map_err(|(folder, err)| {
            let expected = format!("cannot write in the folder {}: {err}", folder.display());
            sources.invalid("workflows.scratch", expected)
        })?;
    }
    Ok(())
}

/// Describes in one line what would be served, in a second the memory that it takes at most, and in a
/// third what should be set.
pub(crate) fn check(config: &Config, sources: &Sources) -> Result<String, config::Error> {
    let life = Life::new();
    let composed =
        core(config, sources, life.clone()).and_then(|core| compose(&core, config, sources));
    // Ends the tasks that were started for it.
    life.drain();
    let Protocols { routes, .. } = composed?;
    let routes: Vec<_> =
        routes.iter().map(|route| format!("{} at {}", route.name, route.path)).collect();
    let routes = if routes.is_empty() { "no protocol".to_owned() } else { routes.join(", ") };
    certificates(config, sources)?;
    writable(config, sources)?;
    let listen: Vec<_> = config.server.listen.iter().map(ListenAddress::to_string).collect();
    let memory = MemoryBound::of(config);
    let has_files = cfg!(any(feature = "rooms", feature = "workflows"));
    let advice = Hosts::advice(config).filter(|_| has_files);
    let advice = advice.map(|line| format!("{line}\n")).unwrap_or_default();
    let listen = listen.join(", ");
    Ok(format!("the configuration is good: {routes} on {listen}\n{memory}\n{advice}"))
}
