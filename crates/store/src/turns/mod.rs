//! Turns of every topic: the question, the text of the reply as it grows, and its end, stored once.
mod begin;
mod end;
mod exchanges;
mod find;
mod grow;
mod keep;
pub(crate) mod keys;
pub(crate) mod model;
mod restart;

pub(crate) use begin::OPEN;
