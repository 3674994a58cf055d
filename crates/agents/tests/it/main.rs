//! The turn desk with agents that do as the test says, and the agents with upstreams that do so.
mod cat_corpus;
mod cat_failures;
mod cat_frames;
mod cat_pool;
mod cat_replies;
mod cat_wire;
mod desk;
mod driver;
mod ends;
mod follow;
mod journal;
mod race;
mod rich;
mod script;
