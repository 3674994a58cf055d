//! How full a pool is.

/// A pool as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub name: &'static str,
    pub used: usize,
    pub size: usize,
}
