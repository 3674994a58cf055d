//! The dialects of upstreams, one module each. Nothing of an upstream leaves its module but the parts
//! of a reply.
mod agui;
mod cheshire_cat;
mod echo;
mod facts;
mod fault;
mod http;
mod openai;
mod reason;
pub(crate) mod reply;
mod secrets;
mod tools;
mod upstream;
mod web;

use std::sync::Arc;

use quadrille_core::Life;

use crate::{Agent, BadConfig, Kind, Settings};

/// The agent that the table `agents.NAME` describes. Its background work runs on `life`.
pub fn open(name: &str, settings: &Settings, life: &Life) -> Result<Arc<dyn Agent>, BadConfig> {
    // Dialects are added here, one arm each.
    upstream::check_keys(name, settings)?;
    match settings.kind {
        Kind::Echo => Ok(Arc::new(echo::Echo)),
        Kind::CheshireCat => Ok(Arc::new(cheshire_cat::CheshireCat::open(name, settings, life)?)),
        Kind::Agui => Ok(Arc::new(agui::Agui::open(name, settings)?)),
        Kind::Openai => Ok(Arc::new(openai::Openai::open(name, settings)?)),
        Kind::Http => Ok(Arc::new(http::Http::open(name, settings)?)),
    }
}
