//! Tokens, keys, grants and quotas: authentication, permissions and rates of clients.
//!
//! A token is a JWT: its signature and its time are checked here and nowhere else, and its grants
//! become a [`Principal`] that the protocols ask. The rules are in `docs/identity.md`.
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
mod rules;
mod secret;
mod settings;
mod token;

#[cfg(test)]
mod tests;

pub use authenticate::{NotAuthenticated, NotRefreshed, authenticate, refresh};
pub use authority::Authority;
pub use denied::{Denied, NotAllowed};
pub use issue::Issue;
pub use key::Algorithm;
pub use principal::{Action, Principal};
pub use quota::{Exceeded, Payer, Quotas, Rate};
pub use secret::Secret;
pub use settings::{AuthSettings, BadSettings, Expired, Mode, PublicKey};
pub use token::Token;

/// Chooses the cryptography of the process. Call it before anything else: the first use without it
/// chooses by itself, for good.
pub fn install_crypto() {
    // Fails if it is chosen already, and there is only one to choose.
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().ok();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
}
