//! Clients over Socket.IO: CONNECT, commands, and rendering of records.
mod closed;
mod commands;
mod connect;
mod connected;
mod handler;
mod own;
