//! The operations as a caller sees them: files in, files and data out.
mod bind;
mod convert;
mod damaged;
mod desk;
mod extract;
mod map;
mod normalize;
mod reading;
mod search;
mod watching;
mod workbook;
