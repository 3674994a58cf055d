//! Units of a pool in the hands of a client.
use super::{Holder, Pool, Shortage};

/// Holds units of a pool; dropping it gives them back.
#[derive(Debug)]
#[must_use = "the units are given back when it is dropped"]
pub struct Permit {
    pool: Pool,
    holder: Holder,
    units: usize,
}

impl Permit {
    pub(super) fn new(pool: &Pool, holder: &Holder, units: usize) -> Self {
        Self { pool: pool.clone(), holder: holder.clone(), units }
    }

    pub fn units(&self) -> usize {
        self.units
    }

    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Counts the units as those of `holder` from now on, as when a stranger has shown its token.
    /// On an error nothing changes.
    pub fn assign(&mut self, holder: &Holder) -> Result<(), Shortage> {
        if self.holder == *holder {
            return Ok(());
        }
        let granted = {
            let mut state = self.pool.state();
            // As many units are held as before, even where that is more than there are now.
            let checked = state.check_share(holder, self.units, &self.pool.0.shares);
            checked.map_err(|shortage| self.pool.refuse(shortage))?;
            state.release(&self.holder, self.units);
            state.put_back(holder, self.units);
            state.grant(&self.pool.0.shares)
        };
        self.holder = holder.clone();
        self.pool.hand_out(granted);
        Ok(())
    }

    /// Counts the units as those of `holder` from now on, even if that is more than its share.
    pub fn pass_to(&mut self, holder: &Holder) {
        if self.holder == *holder {
            return;
        }
        let granted = {
            let mut state = self.pool.state();
            state.release(&self.holder, self.units);
            state.put_back(holder, self.units);
            state.grant(&self.pool.0.shares)
        };
        self.holder = holder.clone();
        self.pool.hand_out(granted);
    }

    /// Takes `units` more, or says why there are none; then nothing changes.
    pub fn grow(&mut self, units: usize) -> Result<(), Shortage> {
        let taken = self.pool.state().take(&self.holder, units, &self.pool.0.shares);
        taken.map_err(|shortage| self.pool.refuse(shortage))?;
        self.units += units;
        Ok(())
    }

    /// Gives back all but `units`.
    pub fn shrink_to(&mut self, units: usize) {
        let surplus = self.units.saturating_sub(units);
        self.units -= surplus;
        self.pool.release(&self.holder, surplus);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pool.release(&self.holder, self.units);
    }
}
