//! The built gateway as its clients and its operator see it.

mod bad_frames;
mod bad_requests;
mod config;
mod delivery;
mod drain;
mod heartbeat;
mod history;
mod http;
mod limits;
mod origin;
mod presence;
mod publish;
mod resume;
mod slow;
mod start;
mod storm;
mod subscribe;
mod survival;
