//! State of a session between two requests.
use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use quadrille_core::{BatchLimit, Close, Delivery, Inbox, Session, telemetry};
use tokio::time::Instant;

use super::{
    handler::{EngineLink, Handler, PacketSink},
    packet::{self, Payload},
    work::BusyFlags,
};
use crate::config::Config;

/// Time for which a session that is over waits for a poll, by which its client learns the reason.
const LINGER: Duration = Duration::from_secs(2);

/// Upper bound on the records that one poll takes from the logs.
const ROOM: BatchLimit = BatchLimit { records: 256, bytes: 64 << 10 };

/// Times that one poll asks the logs while the client is shown nothing of what they have.
const ROUNDS: u32 = 64;

/// Bytes that one poll takes from the logs when the process stops.
const LAST: usize = 4 << 20;

/// Bytes that wait to be polled, at which nothing more is taken from a client before it polls.
const CONGESTED: usize = 256 << 10;

pub(super) struct Polled<H> {
    pub(super) handler: H,
    pub(super) session: Session,
    pub(super) inbox: Inbox,
    out: Payload,
    /// Requests that are under way.
    pub(super) busy: BusyFlags,
    /// End a poll with nothing, for a WebSocket is about to take over.
    pub(super) release: bool,
    pub(super) last_request: Instant,
    next_ping: Instant,
    /// Time at which it was first seen that the session has to end.
    ending: Option<Instant>,
    ping_interval: Duration,
    ping_timeout: Duration,
    pub(super) wakers: Vec<Waker>,
    /// Woken when the session ends while nobody polls.
    pub(super) watch: Waker,
}

/// The answer to a poll.
pub(super) enum PollAnswer {
    Pending,
    /// Packets, or none if a WebSocket is about to take over.
    Body(String),
    /// The last packets of the session, if there are any.
    Last(String),
}

impl<H: Handler> Polled<H> {
    pub(super) fn new(
        handler: H,
        session: Session,
        inbox: Inbox,
        config: &Config,
        watch: Waker,
    ) -> Self {
        let now = Instant::now();
        let Config { ping_interval, ping_timeout, .. } = *config;
        Self {
            handler,
            session,
            inbox,
            out: Payload::default(),
            busy: BusyFlags::default(),
            release: false,
            last_request: now,
            next_ping: now + ping_interval,
            ending: None,
            ping_interval,
            ping_timeout,
            wakers: Vec::new(),
            watch,
        }
    }

    /// Calls the handler.
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut H, &mut EngineLink<'_>) -> T) -> T {
        let Self { handler, inbox, out, .. } = self;
        work(handler, &mut EngineLink { inbox, out })
    }

    /// The packets that were not polled.
    pub(super) fn unpolled(&self) -> Vec<String> {
        self.out.packets().map(str::to_owned).collect()
    }

    pub(super) fn is_congested(&self) -> bool {
        self.out.len() > CONGESTED
    }

    /// Wakes this task when something changes.
    pub(super) fn wake(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }

    /// Time at which a poll ends with a ping, or with the session.
    pub(super) fn due(&self) -> Instant {
        let deadline = self.handler.deadline();
        deadline.map_or(self.next_ping, |(at, _)| at.min(self.next_ping))
    }

    pub(super) fn ping(&mut self, now: Instant) {
        if self.next_ping <= now {
            self.next_ping = now + self.ping_interval;
            self.out.packet(packet::PING);
        }
    }

    /// Takes what the logs have, and what was sent since the last poll.
    pub(super) fn read(&mut self, cx: &mut Context<'_>) -> PollAnswer {
        let mut end = match self.session.poll_ended(cx) {
            Poll::Ready(close) => Some(close),
            Poll::Pending => self.handler_ended(Instant::now()),
        };
        // What the logs have comes first, and when the process stops all of it: no other connection
        // will get it.
        let enough = if end == Some(Close::SHUTDOWN) { LAST } else { 1 };
        for round in 1.. {
            let mut deliveries = Vec::new();
            if self.inbox.poll_recv(cx, ROOM, &mut deliveries).is_pending() {
                break;
            }
            telemetry::delivered(deliveries.len());
            for delivery in deliveries {
                match delivery {
                    Delivery::End(close) => end = Some(close),
                    _ => self.handler.render(&delivery, &mut self.out),
                }
            }
            if self.out.len() >= enough {
                break;
            }
            if round >= ROUNDS {
                // The client was shown nothing of it, and nobody wakes the poll for the rest.
                cx.waker().wake_by_ref();
                break;
            }
        }
        if let Some(close) = end {
            let is_last = self.write_last(&close);
            let body = self.out.take();
            if is_last {
                telemetry::connection_ended(H::NAME, self.session.id(), &close);
                return PollAnswer::Last(body);
            }
            return PollAnswer::Body(body);
        }
        if self.out.is_empty() && !self.release {
            self.wake(cx);
            return PollAnswer::Pending;
        }
        PollAnswer::Body(self.out.take())
    }

    /// Writes the last packets. False if there are more for the next poll: a client that is sent
    /// away must have read so before it is told of the end.
    fn write_last(&mut self, close: &Close) -> bool {
        let was_connected = self.handler.is_connected();
        self.handler.end(close, &mut self.out);
        if !was_connected {
            // Others find no session at the next poll. Clients in Python never come back after
            // this.
            self.out.packet(packet::CLOSE);
        }
        !was_connected || self.handler.is_connected()
    }

    /// The reason to end a session that nobody polls, if its time is up.
    pub(super) fn is_over(&mut self, now: Instant) -> Option<Close> {
        // A poll that waits tells its client.
        if self.busy.reading {
            return None;
        }
        if now >= self.last_request + self.ping_interval + self.ping_timeout {
            return Some(Close::NO_PONG);
        }
        if !self.is_ending(now) {
            self.ending = None;
            return None;
        }
        if self.is_displaced() {
            return Some(Close::CROWDED);
        }
        let since = *self.ending.get_or_insert(now);
        let close = self.handler_ended(now).unwrap_or(Close::KICKED);
        (now >= since + LINGER).then_some(close)
    }

    pub(super) fn is_ending(&self, now: Instant) -> bool {
        self.session.info().is_ending() || self.handler_ended(now).is_some()
    }

    /// Whether another session has its place.
    pub(super) fn is_displaced(&self) -> bool {
        self.session.info().ending() == Some(&Close::CROWDED)
    }

    /// The reason for which the handler ends the session, if its deadline has passed.
    fn handler_ended(&self, now: Instant) -> Option<Close> {
        self.handler.deadline().filter(|(at, _)| now >= *at).map(|(_, close)| close)
    }
}
