//! What normalisation does to the cells of one column.
mod apply;
mod fit;
mod kind;
mod pattern;
mod plan;
mod report;
mod text;

pub use kind::TYPES;
pub(crate) use plan::{Item, Plan};
pub(crate) use report::Report;
