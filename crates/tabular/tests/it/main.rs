//! The operations as a caller sees them: files in, files and data out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod arguments;
mod bind;
mod convert;
mod damaged;
mod desk;
mod extract;
mod injection;
mod json;
mod map;
mod normalize;
mod normalize_reports;
mod programs;
mod reading;
mod search;
mod sql;
mod together;
mod watching;
mod workbook;
