//! Operations, one module each.
pub(crate) mod bind;
pub(crate) mod convert;
pub(crate) mod extract;
pub(crate) mod json;
pub(crate) mod map;
pub(crate) mod normalize;
pub(crate) mod overwrite;
pub(crate) mod search;
pub(crate) mod sql;
