//! Exit codes that the process has besides 0 and 1.

/// The configuration or the command line is wrong (`EX_USAGE` of sysexits.h).
pub(crate) const USAGE: u8 = 64;

/// Stopped before every connection, task and thread had ended.
pub(crate) const UNFINISHED: u8 = 2;
