//! Tokens, keys, grants and quotas: which client it is, what it may do, and how often.
//!
//! A token is a JWT: its signature and its time are checked here and nowhere else, and what it
//! grants becomes a [`Principal`] that the protocols ask. The rules are in `docs/identity.md`.
mod authenticate;
mod authority;
mod claims;
mod denied;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod grants;
mod issue;
mod jwks;
mod key;
mod pattern;
mod principal;
mod quota;
mod secret;
mod token;

#[cfg(test)]
mod tests;

pub use authenticate::{NotAuthenticated, NotRefreshed, authenticate, refresh};
pub use authority::{AuthSettings, Authority, BadSettings, Expired, Mode, PublicKey};
pub use denied::{Denied, NotAllowed};
pub use issue::Issue;
pub use key::Algorithm;
pub use principal::{Action, Principal};
pub use quota::{Exceeded, Payer, Quotas, Rate};
pub use secret::Secret;
pub use token::Token;

/// Choose the cryptography of the process. To be called before anything else: what is used before
/// that chooses by itself, and cannot be corrected.
pub fn install_crypto() {
    // An error means that there is one already, and there is only one to choose.
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().ok();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
}
