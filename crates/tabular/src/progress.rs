//! Progress and cancellation of an operation.
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use crate::error::Error;

/// Progress of an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rows that were read, in all files and passes.
    pub rows: u64,
    /// Completed part of the work, from 0.0 to 1.0; never decreases.
    pub done: f64,
}

impl Progress {
    /// Returns the progress from 0 to 100.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is between 0 and 100"
    )]
    pub fn percent(self) -> u8 {
        (self.done.clamp(0.0, 1.0) * 100.0) as u8
    }
}

/// Callback with the progress. It is called about every [`ROWS_PER_CALLBACK`] rows, and several
/// times a second for slow rows. `Break` cancels the operation, which then leaves no file.
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// Most rows between two calls of [`OnProgress`].
pub const ROWS_PER_CALLBACK: u64 = 1024;

/// Longest time between two calls of [`OnProgress`], about.
const CALLBACK_INTERVAL: Duration = Duration::from_millis(50);

/// Small steps between two reads of the clock.
const STEPS_PER_CLOCK_READ: u32 = 256;

/// Counts rows over the passes of an operation.
pub(crate) struct Meter<'a> {
    watch: &'a mut OnProgress<'a>,
    passes: u32,
    pass: u32,
    rows: u64,
    done: f64,
    called: Instant,
    steps: u32,
}

impl<'a> Meter<'a> {
    /// Makes a meter for a number of `passes` over a file.
    pub(crate) fn new(watch: &'a mut OnProgress<'a>, passes: u32) -> Self {
        Self { watch, passes, pass: 0, rows: 0, done: 0.0, called: Instant::now(), steps: 0 }
    }

    /// Raises the number of passes.
    pub(crate) fn expect(&mut self, passes: u32) {
        self.passes = self.passes.max(passes);
    }

    pub(crate) fn end_pass(&mut self) {
        self.pass += 1;
    }

    /// Counts a row; `part` of the pass is done.
    pub(crate) fn row(&mut self, part: impl FnOnce() -> f64) -> Result<(), Error> {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_CALLBACK) {
            self.advance(part())
        } else {
            self.pulse()
        }
    }

    /// Reports that `part` of the pass is done.
    pub(crate) fn advance(&mut self, part: f64) -> Result<(), Error> {
        let pass = f64::from(self.pass) + part.clamp(0.0, 1.0);
        self.done = self.done.max(pass / f64::from(self.passes.max(1))).min(1.0);
        self.call_back()
    }

    /// Counts a piece of work that may take milliseconds: calls back if the last call was a while
    /// ago.
    pub(crate) fn pulse(&mut self) -> Result<(), Error> {
        if self.called.elapsed() < CALLBACK_INTERVAL { Ok(()) } else { self.call_back() }
    }

    /// Counts a piece of work that takes microseconds.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.steps = (self.steps + 1) % STEPS_PER_CLOCK_READ;
        if self.steps == 0 { self.pulse() } else { Ok(()) }
    }

    fn call_back(&mut self) -> Result<(), Error> {
        self.called = Instant::now();
        match (self.watch)(Progress { rows: self.rows, done: self.done }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled { rows: self.rows }),
        }
    }
}

impl std::fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("rows", &self.rows)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
