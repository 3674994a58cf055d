//! Budgets of memory: values held at once, and one row of the result.
use crate::{
    cell::{Cell, Row},
    error::TooMuch,
    limits::Limits,
};

/// Charges `size` bytes to `held`. Fails beyond `most`: `what` is too large.
pub(crate) fn charge(
    held: &mut usize,
    size: usize,
    most: usize,
    what: &'static str,
    instead: &'static str,
) -> Result<(), TooMuch> {
    *held = held.saturating_add(size);
    if *held > most { Err(TooMuch::Held { what, most, instead }) } else { Ok(()) }
}

/// Memory that is left for one row of the result.
#[derive(Debug)]
pub(crate) struct ResultBudget {
    left: usize,
    most: usize,
}

impl ResultBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { left: limits.max_made, most: limits.max_made }
    }

    pub(crate) fn take(&mut self, size: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(size).ok_or(TooMuch::Made { most: self.most })?;
        Ok(())
    }

    /// Fails if `size` is not left. Takes nothing.
    pub(crate) fn check(&self, size: usize) -> Result<(), TooMuch> {
        if size > self.left { Err(TooMuch::Made { most: self.most }) } else { Ok(()) }
    }

    /// Appends a cell to the row.
    pub(crate) fn push(&mut self, row: &mut Row, cell: &Cell) -> Result<(), TooMuch> {
        self.take(cell.size())?;
        row.push(cell.clone());
        Ok(())
    }
}
