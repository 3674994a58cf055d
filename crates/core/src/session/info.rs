//! A connection, as others see it.
use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use uuid::Uuid;

use super::Admission;
use crate::Close;

/// A connection, as others see it.
#[derive(Debug)]
pub struct SessionInfo {
    pub id: Uuid,
    pub protocol: &'static str,
    pub peer: IpAddr,
    user: OnceLock<Arc<str>>,
    ending: OnceLock<Close>,
    waker: AtomicWaker,
    /// Set until the next sign of life is sent.
    asked: AtomicBool,
}

impl SessionInfo {
    pub(super) fn new(Admission { protocol, user, peer, .. }: Admission) -> Self {
        Self {
            id: Uuid::now_v7(),
            protocol,
            peer,
            user: user.map(OnceLock::from).unwrap_or_default(),
            ending: OnceLock::new(),
            waker: AtomicWaker::new(),
            asked: AtomicBool::new(false),
        }
    }

    /// The user, if it is known yet.
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.get()
    }

    /// Sets the user once it is known. Later calls are ignored.
    pub fn set_user(&self, user: Arc<str>) {
        // Fails if the user is known already.
        drop(self.user.set(user));
    }

    /// Time of the admission, in milliseconds since the Unix epoch.
    pub fn opened(&self) -> u64 {
        let (seconds, nanos) = self.id.get_timestamp().map_or((0, 0), |at| at.to_unix());
        seconds * 1000 + u64::from(nanos / 1_000_000)
    }

    /// Has a stream of events send a sign of life, so that a client that is gone is found out. The
    /// caller has to wake the stream's task.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`ask`](Self::ask) was called since the last call.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Relaxed)
    }

    /// Whether the session has to end, and its connection is not gone yet.
    pub fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Why the session has to end, if it has to.
    pub fn ending(&self) -> Option<&Close> {
        self.ending.get()
    }

    /// Ends the session. The peer gets the first reason.
    pub(super) fn end(&self, close: Close) {
        if self.ending.set(close).is_ok() {
            self.waker.wake();
        }
    }

    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Close> {
        self.waker.register(cx.waker());
        self.ending.get().cloned().map_or(Poll::Pending, Poll::Ready)
    }
}
