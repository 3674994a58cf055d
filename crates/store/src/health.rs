//! Health of the database and of the folder of files, as of the latest check.
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Reason why the database or the folder of files cannot be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Fault {
    #[error("it is gone: its file or folder was removed or replaced; put it back, or restart")]
    Gone = 1,
    #[error("its file is damaged; stop, and restore a backup")]
    Damaged,
    #[error("another program keeps it locked")]
    Locked,
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it cannot be written to")]
    Unwritable,
    #[error("its disk is full")]
    Full,
    #[error("another process of the gateway uses it")]
    Taken,
    #[error("its file system does not answer; check its disk or server")]
    Silent,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::Gone,
        Self::Damaged,
        Self::Locked,
        Self::Unreachable,
        Self::Unwritable,
        Self::Full,
        Self::Taken,
        Self::Silent,
    ];
}

/// Results of the two checks.
#[derive(Debug, Default)]
pub(crate) struct Health([AtomicU8; 2]);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    Quick,
    Thorough,
}

/// Counts errors of databases that may be a sign of damage. Each makes the next check thorough.
static SUSPICIONS: AtomicU64 = AtomicU64::new(0);

impl Health {
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.of(Check::Quick).or_else(|| self.of(Check::Thorough))
    }

    pub(crate) fn of(&self, check: Check) -> Option<Fault> {
        let found = self.0[check as usize].load(Relaxed);
        Fault::ALL.into_iter().find(|fault| *fault as u8 == found)
    }

    /// Stores the result of a check, and logs it if it has changed.
    pub(crate) fn set(&self, check: Check, part: &'static str, fault: Option<Fault>) {
        let before = self.of(check);
        self.0[check as usize].store(fault.map_or(0, |fault| fault as u8), Relaxed);
        match fault {
            Some(found) if before != fault => {
                tracing::error!(part, error = %found, "writes are refused until this is fixed");
            }
            None if before.is_some() => tracing::info!(part, "writes are accepted again"),
            _ => {}
        }
    }
}

pub(crate) fn suspect() {
    SUSPICIONS.fetch_add(1, Relaxed);
}

pub(crate) fn suspicions() -> u64 {
    SUSPICIONS.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_stays_until_the_look_that_found_it_finds_none() {
        let health = Health::default();
        assert_eq!(health.fault(), None);
        for fault in Fault::ALL {
            health.set(Check::Thorough, "store", Some(fault));
            assert_eq!(health.fault(), Some(fault));
            health.set(Check::Quick, "store", None);
            assert_eq!(health.fault(), Some(fault));
            health.set(Check::Thorough, "store", None);
            assert_eq!(health.fault(), None);
        }
    }
}
