//! The store on real databases: every test runs on `SQLite`, and in builds with the feature
//! `postgres` on `PostgreSQL`, too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod bed;
mod busy;
mod conversations;
mod external;
mod faults;
mod files;
mod keys;
mod messages;
mod open;
mod pending;
mod run_keys;
mod search;
mod turns;
mod uploads;
mod workers;
mod workflows;
