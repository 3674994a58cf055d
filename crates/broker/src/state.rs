//! What all connections share.
use quadrille_core::Core;

use crate::{Config, turns::Texts};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) texts: Texts,
    pub(crate) config: Config,
}
