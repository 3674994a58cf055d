//! Workflows: spreadsheet jobs of many steps, which a bot suggests.
#![allow(dead_code, reason = "the doors use it")]
mod bot;
