//! Whether what is kept can be written to, as far as was seen last.
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Why something that is kept cannot be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Fault {
    #[error("it is gone: its file or folder was removed or replaced; put it back, or start anew")]
    Gone = 1,
    #[error("its file is damaged; stop, and restore a backup")]
    Damaged,
    #[error("another program keeps it locked")]
    Locked,
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it cannot be written to")]
    Unwritable,
    #[error("there is no room left on its disk")]
    Full,
    #[error("another process of the gateway uses it")]
    Taken,
    #[error("its file system does not answer; see whether its disk or server is there")]
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

/// What two looks have found, a quick one and a thorough one.
#[derive(Debug, Default)]
pub(crate) struct Health([AtomicU8; 2]);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Quick,
    Thorough,
}

/// Counts what databases have said that may be a sign of damage. The next look is a thorough one.
static SUSPICIONS: AtomicU64 = AtomicU64::new(0);

impl Health {
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.of(Look::Quick).or_else(|| self.of(Look::Thorough))
    }

    pub(crate) fn of(&self, look: Look) -> Option<Fault> {
        let found = self.0[look as usize].load(Relaxed);
        Fault::ALL.into_iter().find(|it| *it as u8 == found)
    }

    /// Remember what a look has found, and log it if it is new.
    pub(crate) fn set(&self, look: Look, part: &'static str, fault: Option<Fault>) {
        let before = self.of(look);
        self.0[look as usize].store(fault.map_or(0, |it| it as u8), Relaxed);
        match fault {
            Some(why) if before != fault => {
                tracing::error!(part, %why, "nothing is written until this is mended");
            }
            None if before.is_some() => tracing::info!(part, "it can be written to again"),
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
            health.set(Look::Thorough, "store", Some(fault));
            assert_eq!(health.fault(), Some(fault));
            health.set(Look::Quick, "store", None);
            assert_eq!(health.fault(), Some(fault));
            health.set(Look::Thorough, "store", None);
            assert_eq!(health.fault(), None);
        }
    }
}
