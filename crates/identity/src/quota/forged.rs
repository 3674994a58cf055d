//! Forged tokens, as they are held against what pays for them.
use super::{Exceeded, Payer, Quotas, Rate};
use crate::Denied;

impl Quotas {
    /// Checks that `payer` has not shown too many forged tokens. Asked before a token is verified,
    /// so that a refusal costs no signature.
    pub fn may_show_token(&self, payer: &Payer) -> Result<(), Exceeded> {
        self.look(Rate::BadTokens, payer)
    }

    /// Charges a rejected token to `payer` if it is forged. Others are free: tokens expire and keys
    /// change every day, for all clients of an address at once.
    pub fn token_refused(&self, payer: &Payer, err: Denied) {
        if err.is_forged() {
            // Fails if others have used up the rate meanwhile; the next token is refused.
            self.take(Rate::BadTokens, payer).ok();
        }
    }
}
