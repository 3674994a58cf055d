//! State shared by all connections.
use quadrille_core::Core;

use crate::{Config, turns::TurnTexts};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) texts: TurnTexts,
    pub(crate) config: Config,
}
