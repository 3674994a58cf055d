//! State that all connections of one path share.
use std::{fmt, sync::Arc};

use quadrille_core::SessionInfo;
use quadrille_edge::Core;
use quadrille_identity::Token;

use super::sessions::PollingSessions;
use crate::config::Config;

/// Makes the handler of a connection.
type OpenHandler<H> = dyn Fn(&Arc<SessionInfo>, Option<Token>) -> H + Send + Sync;

pub(super) struct EngineServer<H> {
    pub(super) core: Core,
    pub(super) config: Config,
    pub(super) sessions: Arc<PollingSessions<H>>,
    pub(super) open: Box<OpenHandler<H>>,
}

impl<H> EngineServer<H> {
    pub(super) fn new(
        core: &Core,
        config: Config,
        open: impl Fn(&Arc<SessionInfo>, Option<Token>) -> H + Send + Sync + 'static,
    ) -> Self {
        Self { core: core.clone(), config, sessions: Arc::default(), open: Box::new(open) }
    }
}

impl<H> fmt::Debug for EngineServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}
