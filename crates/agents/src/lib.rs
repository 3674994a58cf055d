//! Agents in several dialects, and the desk that runs one turn at a time with them in each topic.
mod agent;
mod agents;
mod ask;
mod config;
mod desk;
mod details;
mod dialect;
mod failure;
mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod history;
mod index;
mod interrupt;
mod journal;
mod lenient;
mod named_agent;
mod orphan;
mod publish;
mod queue;
mod reply_buffer;
mod run;
mod sse;
mod telemetry;
mod ticket;

pub use agent::{Agent, Given, HistoryEntry, Part, Question, Reply, ToolUse};
pub use agents::Agents;
pub use ask::{Ask, Refused};
pub use config::{BadConfig, Config, Content, Kind, Orphans, Settings};
pub use desk::{Desk, QUESTION_BYTES};
pub use dialect::open;
pub use failure::{Code, Failure};
pub use follow::{Follow, FollowStep};
pub use journal::{Begun, Growth, Journal, KeptTurn, NotStored};
pub use named_agent::NamedAgent;
pub use ticket::{AgentReport, Ended, Ending, Phase, Ticket};
