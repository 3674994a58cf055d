//! Normalisation of the cells of columns.
mod apply;
mod fit;
mod format;
mod kind;
mod pattern;
mod plan;
mod report;
mod text;

pub use kind::TYPES;
pub(crate) use plan::{Item, Plan};
pub(crate) use report::Report;
