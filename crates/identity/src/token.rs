//! A token as a client sends it.
use std::{fmt, net::IpAddr};

use secrecy::{ExposeSecret, SecretString};

use crate::Payer;

/// The credential that a client shows. No formatting prints it.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    /// A page of another site made a browser send it.
    foreign: bool,
}

impl Token {
    /// Upper bound on a token, in bytes.
    pub const MAX: usize = 8 << 10;

    /// Marks the token as sent by a browser on behalf of a page of another site. If it is forged, the
    /// visitor's address does not pay for it.
    #[must_use]
    pub fn foreign(self) -> Self {
        Self { foreign: true, ..self }
    }

    /// The payer for the token if it is forged: the address `peer` that it came from, or the pages of
    /// other sites in the browsers at that address.
    pub fn blamed(&self, peer: IpAddr) -> Payer {
        if self.foreign { Payer::foreign(peer) } else { peer.into() }
    }

    /// Returns the token itself, to be verified; never for a message.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self { secret: text.into(), foreign: false }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::from("a.b.c")), "Token(not shown)");
    }
}
