//! Agents, in whatever dialect they speak, and the desk that runs one turn at a time with them.
mod agent;
mod before;
mod book;
mod config;
mod desk;
mod dialect;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod journal;
mod lenient;
mod named;
mod orphan;
mod queue;
mod run;
mod said;
mod sse;
mod telemetry;
mod ticket;

pub use agent::{Agent, Exchange, Given, Part, Question, Reply};
pub use config::{BadConfig, Config, Content, Kind, Orphans, Settings};
pub use desk::{Ask, Desk, QUESTION_BYTES, Refused};
pub use dialect::open;
pub use failure::{Code, Failure};
pub use journal::{Journal, NotKept};
pub use named::Named;
pub use ticket::{Ended, Ending, Phase, Ticket};
