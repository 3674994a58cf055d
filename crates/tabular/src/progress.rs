//! How far an operation is, and whether it shall go on.
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use crate::error::Error;

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rows that were read, of all files and passes.
    pub rows: u64,
    /// The part of the work that is done, from 0.0 to 1.0, never less than before.
    pub done: f64,
}

impl Progress {
    /// From 0 to 100.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is between 0 and 100"
    )]
    pub fn percent(self) -> u8 {
        (self.done.clamp(0.0, 1.0) * 100.0) as u8
    }
}

/// Asked about every [`EVERY`] rows, and several times a second where a row takes long; `Break`
/// cancels the operation, which then leaves no file.
pub type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// Rows between two calls of a [`Watch`], at most.
pub const EVERY: u64 = 1024;

/// Time between two calls of a [`Watch`], about, at most.
const BETWEEN: Duration = Duration::from_millis(50);

/// Small steps between two looks at the clock.
const STEPS: u32 = 256;

/// Counts rows over the passes of an operation.
pub(crate) struct Meter<'a> {
    watch: &'a mut Watch<'a>,
    passes: u32,
    pass: u32,
    rows: u64,
    done: f64,
    asked: Instant,
    steps: u32,
}

impl<'a> Meter<'a> {
    /// A file is read as often as there are `passes`.
    pub(crate) fn new(watch: &'a mut Watch<'a>, passes: u32) -> Self {
        Self { watch, passes, pass: 0, rows: 0, done: 0.0, asked: Instant::now(), steps: 0 }
    }

    /// There are more passes than it seemed.
    pub(crate) fn expect(&mut self, passes: u32) {
        self.passes = self.passes.max(passes);
    }

    pub(crate) fn end_pass(&mut self) {
        self.pass += 1;
    }

    /// One more row was read, and with it `part` of the pass.
    pub(crate) fn row(&mut self, part: impl FnOnce() -> f64) -> Result<(), Error> {
        self.rows += 1;
        if self.rows.is_multiple_of(EVERY) { self.tell(part()) } else { self.pulse() }
    }

    /// `part` of the pass is done.
    pub(crate) fn tell(&mut self, part: f64) -> Result<(), Error> {
        let pass = f64::from(self.pass) + part.clamp(0.0, 1.0);
        self.done = self.done.max(pass / f64::from(self.passes.max(1))).min(1.0);
        self.ask()
    }

    /// One more piece of work that may take milliseconds: ask whether to go on, if the last time was
    /// a while ago.
    pub(crate) fn pulse(&mut self) -> Result<(), Error> {
        if self.asked.elapsed() < BETWEEN { Ok(()) } else { self.ask() }
    }

    /// One more piece of work that takes microseconds.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.steps = (self.steps + 1) % STEPS;
        if self.steps == 0 { self.pulse() } else { Ok(()) }
    }

    fn ask(&mut self) -> Result<(), Error> {
        self.asked = Instant::now();
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
