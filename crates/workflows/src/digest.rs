//! Digests that identify a repeated request or result.
use aws_lc_rs::digest::{Context, SHA256};

/// Computes a digest of parts. Their borders count: `ab` and `c` differ from `a` and `bc`.
pub(crate) struct Digest(Context);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a whole part.
    #[must_use]
    pub(crate) fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// Adds bytes of one long part.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest in hexadecimal digits.
    pub(crate) fn done(self) -> String {
        let digest = self.0.finish();
        let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_its_parts_each_for_itself() {
        let of = |parts: &[&str]| parts.iter().fold(Digest::new(), Digest::part).done();
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_eq!(of(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let others = [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &[]];
        assert!(others.iter().all(|parts| of(parts) != of(&["ab", "c"])));
    }
}
