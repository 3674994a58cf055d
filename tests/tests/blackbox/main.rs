//! The built gateway as its clients and its operator see it.

mod api;
mod bad_frames;
mod bad_requests;
mod config;
mod delivery;
mod drain;
mod events;
mod events_end;
mod heartbeat;
mod history;
mod http;
mod limits;
mod origin;
mod presence;
mod publish;
mod publish_http;
mod resume;
mod slow;
mod start;
mod storm;
mod subscribe;
mod survival;
