//! The lock of the hand-off between publishers and readers, which the model checker replaces.
#[cfg(model)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(model))]
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::sync::PoisonError;

/// Lock, whatever happened to an earlier holder: every critical section leaves its state whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
