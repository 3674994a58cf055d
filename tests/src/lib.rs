//! Everything the black-box tests need to start the built gateway and to talk to it.

pub mod chat;
pub mod client;
pub mod collector;
pub mod database;
pub mod dice;
pub mod direct;
pub mod fake;
pub mod form;
pub mod gateway;
pub mod http;
pub mod jwks;
pub mod metrics;
pub mod official;
pub mod patience;
pub mod process;
pub mod program;
pub mod puppet;
pub mod raw;
pub mod relay;
pub mod returning;
pub mod rooms;
pub mod scratch;
pub mod sio;
pub mod sse;
pub mod tls;
pub mod token;
pub mod workbook;
pub mod workflows;

pub use crate::{
    client::Client, dice::Dice, form::Form, gateway::Gateway, patience::eventually, raw::Raw,
    sio::Sio, sse::Sse,
};
