//! Identifiers that nobody can guess.
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A text of 120 random bits.
pub(crate) fn secret() -> String {
    let mut bytes = [0; 15];
    rand::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}
