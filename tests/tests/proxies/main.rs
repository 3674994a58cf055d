//! The built gateway behind nginx and `HAProxy`, configured as people do.
mod proxy;
mod refusals;
mod streams;
mod whereabouts;
