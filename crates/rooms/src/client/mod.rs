//! Clients over Socket.IO: who may connect, what they can ask for, and what they are shown.
mod closed;
mod commands;
mod connect;
mod connected;
mod handler;
mod own;
