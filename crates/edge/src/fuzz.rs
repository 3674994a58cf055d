//! Replays the seeds of fuzz targets in tests.
#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
pub(crate) mod replay;
