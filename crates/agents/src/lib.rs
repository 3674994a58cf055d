//! Agents, in whatever dialect they speak, and the desk that runs one turn at a time with them.
mod agent;
mod config;
mod desk;
mod dialect;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod history;
mod index;
mod journal;
mod lenient;
mod named_agent;
mod orphan;
mod queue;
mod reply_buffer;
mod run;
mod sse;
mod telemetry;
mod ticket;

pub use agent::{Agent, Exchange, Given, Part, Question, Reply};
pub use config::{BadConfig, Config, Content, Kind, Orphans, Settings};
pub use desk::{Ask, Desk, QUESTION_BYTES, Refused};
pub use dialect::open;
pub use failure::{Code, Failure};
pub use journal::{Journal, NotStored};
pub use named_agent::NamedAgent;
pub use ticket::{Ended, Ending, Phase, Ticket};
