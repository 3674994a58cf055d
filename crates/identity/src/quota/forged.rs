//! Tokens that were forged, as they are held against what pays for them.
use super::{Exceeded, Payer, Quotas, Rate};
use crate::Denied;

impl Quotas {
    /// Whether a token that `payer` pays for may be looked at. To be asked before: what is refused here costs
    /// no signature.
    pub fn may_show_token(&self, payer: &Payer) -> Result<(), Exceeded> {
        self.look(Rate::BadTokens, payer)
    }

    /// A token that `payer` pays for was not accepted. Only a forged one is held against it: that
    /// tokens end and keys change is everyday, and happens to all clients of an address at once.
    pub fn token_refused(&self, payer: &Payer, why: Denied) {
        if why.is_forged() {
            // Others may have used it up since it was asked; the next one is refused.
            self.take(Rate::BadTokens, payer).ok();
        }
    }
}
