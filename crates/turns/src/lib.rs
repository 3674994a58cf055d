//! Turns of every topic, kept in the store: questions, the text of replies as it grows, ends, and the
//! key book. After a restart, the turns that the last process left are ended.
mod config;
mod journal;
mod kept;
mod restart;

pub use crate::{
    config::Config,
    journal::{StoreJournal, not_stored, retried},
    kept::{apology, kept},
};
