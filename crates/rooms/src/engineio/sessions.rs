//! Sessions that poll: they have no connection, and so are kept here between two requests.
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use quadrille_core::{BatchLimit, Close, Delivery, Holder, Inbox, Session, telemetry};
use tokio::time::Instant;

use super::{
    packet::{self, Packets, Payload},
    work::{Busy, Guard, Refused, Work},
};
use crate::{
    Config, NAME,
    door::Door,
    socketio::{Client, Link},
};

/// Every session that polls, by its id.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Box<str>, Arc<Slot>>>);

/// How often it is looked for those whose client is gone.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a session that is over stays for a poll, by which its client learns why.
const LINGER: Duration = Duration::from_secs(2);

/// What one poll takes from the logs.
const ROOM: BatchLimit = BatchLimit { records: 256, bytes: 64 << 10 };

/// Times that the logs are asked in one poll, if what they have is nothing to the client.
const ROUNDS: u32 = 64;

/// Bytes that the logs may have for a client when the process stops.
const LAST: usize = 4 << 20;

/// Bytes that wait to be polled, at which nothing more is taken from a client before it polls.
const CONGESTED: usize = 256 << 10;

/// One session, until it ends or goes on as a WebSocket.
#[derive(Debug)]
pub(super) struct Slot {
    polled: Mutex<Option<Polled>>,
    /// Answer to the poll that waits when the session ends, if there is one besides a refusal.
    farewell: OnceLock<&'static str>,
    /// A WebSocket has taken the session over. It holds the slot until it ends.
    upgraded: AtomicBool,
}

pub(super) struct Polled {
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) inbox: Inbox,
    out: Payload,
    /// Which requests are under way.
    busy: Busy,
    /// Let a poll end with nothing, for a WebSocket is about to take over.
    release: bool,
    heard: Instant,
    next_ping: Instant,
    /// Since when it is known that it has to end.
    ending: Option<Instant>,
    ping_interval: Duration,
    ping_timeout: Duration,
    wakers: Vec<Waker>,
    /// Told of the end of the session while nobody polls.
    watch: Waker,
}

/// Forgets a session that has to make room for another as soon as it has to: no task looks after it.
struct Watch {
    door: Weak<Door>,
    sid: Box<str>,
}

// === impl Sessions ===

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, sid: Box<str>, slot: Slot) {
        self.all().insert(sid, Arc::new(slot));
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Slot>> {
        self.all().get(sid).cloned()
    }

    /// End those that are over, and forget those that ended.
    fn sweep(&self, now: Instant) {
        let slots: Vec<_> = self.all().values().cloned().collect();
        for slot in &slots {
            slot.end_if_over(now);
        }
        drop(slots);
        // Of a WebSocket the id is known as long as it lasts.
        self.all().retain(|_, slot| !slot.is_gone() || Arc::strong_count(slot) > 1);
    }
}

/// End sessions whose client is gone, and forget sockets that nobody goes on with, for as long as the
/// process takes on work.
pub(super) async fn look_after(door: Arc<Door>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = every.tick() => {
                door.polling.sweep(Instant::now());
                door.recovery.sweep();
            }
            () = door.core.life.draining() => return,
        }
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        let Some(door) = self.door.upgrade() else { return };
        if let Some(slot) = door.polling.find(&self.sid)
            && slot.make_room()
        {
            door.polling.all().remove(&self.sid);
        }
    }
}

// === impl Slot ===

impl Slot {
    /// Begins a session that polls.
    pub(super) fn open(
        door: &Arc<Door>,
        sid: &str,
        client: Client,
        session: Session,
        inbox: Inbox,
    ) {
        let watch = Arc::new(Watch { door: Arc::downgrade(door), sid: sid.into() });
        let slot = Self::new(client, session, inbox, &door.config, watch.into());
        door.polling.add(sid.into(), slot);
        if let Some(slot) = door.polling.find(sid) {
            slot.watch();
        }
    }

    fn new(client: Client, session: Session, inbox: Inbox, config: &Config, watch: Waker) -> Self {
        let now = Instant::now();
        let Config { ping_interval, ping_timeout, .. } = *config;
        let polled = Polled {
            client,
            session,
            inbox,
            out: Payload::default(),
            busy: Busy::default(),
            release: false,
            heard: now,
            next_ping: now + ping_interval,
            ending: None,
            ping_interval,
            ping_timeout,
            wakers: Vec::new(),
            watch,
        };
        Self {
            polled: Mutex::new(Some(polled)),
            farewell: OnceLock::new(),
            upgraded: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Polled>> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client that the session counts for; `None` if it is gone.
    pub(super) fn holder(&self) -> Option<Holder> {
        self.lock().as_ref().map(|it| it.inbox.holder())
    }

    /// Be told when the session has to end, unless somebody who polls will be.
    pub(super) fn watch(&self) {
        if let Some(polled) = self.lock().as_ref().filter(|it| !it.busy.reading) {
            // That it has to end already is seen at the next sweep.
            let _is_over = polled.session.poll_ended(&mut Context::from_waker(&polled.watch));
        }
    }

    /// Forgets a session whose place another has. False if it stays: it has to be told first, or
    /// somebody is at it just now, and the next sweep ends it.
    fn make_room(&self) -> bool {
        let Ok(mut slot) = self.polled.try_lock() else { return false };
        let is_displaced =
            slot.as_ref().is_some_and(|it| it.session.info().ending() == Some(&Close::CROWDED));
        let Some(polled) = slot.take_if(|_| is_displaced) else { return false };
        drop(slot);
        polled.wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Ready when there is no session here any more.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().as_mut() {
            Some(polled) => {
                polled.wake(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Whether it went on as a WebSocket.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    /// Answer to the poll that waited when the session ended.
    pub(super) fn farewell(&self) -> Option<&'static str> {
        self.farewell.get().copied()
    }

    /// Whether there is no session here any more; false while something is done with it. Never
    /// waits: the table of all sessions is locked meanwhile, and what is done may look into that.
    fn is_gone(&self) -> bool {
        self.polled.try_lock().is_ok_and(|polled| polled.is_none())
    }

    /// Begin a request, unless one like it is under way, or the client was silent for too long.
    pub(super) fn begin(self: &Arc<Self>, work: Work) -> Result<Guard, Refused> {
        let now = Instant::now();
        self.end_if_over(now);
        let mut slot = self.lock();
        let polled = slot.as_mut().ok_or(Refused::Gone)?;
        let is_probed = polled.busy.probing;
        let flag = polled.busy.flag(work);
        if *flag {
            return Err(Refused::Overlap);
        }
        *flag = true;
        polled.heard = now;
        let wakers = std::mem::take(&mut polled.wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        Ok(Guard::new(self, work, is_probed))
    }

    /// A request has ended.
    pub(super) fn finish(&self, work: Work) {
        let mut slot = self.lock();
        let Some(polled) = slot.as_mut() else { return };
        *polled.busy.flag(work) = false;
        let wakers = std::mem::take(&mut polled.wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ready when a poll waits, or there is no session any more.
    pub(super) fn poll_reader(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().as_mut().filter(|it| !it.busy.reading) {
            Some(polled) => {
                polled.wake(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Do something with the session, and let whoever polls see what came of it. `None` if it is
    /// gone.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Client, &mut Link<'_>) -> T) -> Option<T> {
        let mut slot = self.lock();
        let Polled { client, inbox, out, wakers, .. } = slot.as_mut()?;
        let done = work(client, &mut Link { inbox, out });
        let wakers = std::mem::take(wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        Some(done)
    }

    /// Whether the client should poll before it sends more.
    pub(super) fn is_congested(&self) -> bool {
        self.lock().as_ref().is_some_and(|it| it.out.len() > CONGESTED)
    }

    /// When a poll has to end with a ping, or with the session.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lock().as_ref().map(|it| {
            let ends = it.client.ends().map(|(at, _)| at);
            ends.map_or(it.next_ping, |at| at.min(it.next_ping))
        })
    }

    /// It is [due](Self::due): what the poll is answered, unless the session ends.
    pub(super) fn ping(&self, now: Instant) {
        if let Some(polled) = self.lock().as_mut().filter(|it| it.next_ping <= now) {
            polled.next_ping = now + polled.ping_interval;
            polled.out.packet(packet::PING);
        }
    }

    /// Ready with a body for whoever polls, which is empty if a WebSocket is about to take over;
    /// `None` if there is no session any more.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut slot = self.lock();
        let Some(polled) = slot.as_mut() else { return Poll::Ready(None) };
        let mut end = match polled.session.poll_ended(cx) {
            Poll::Ready(why) => Some(why),
            Poll::Pending => polled.client_ended(Instant::now()),
        };
        // What the logs have comes first, and when the process stops all of it: nobody else will
        // have it.
        let enough = if end == Some(Close::SHUTDOWN) { LAST } else { 1 };
        for round in 1.. {
            let mut deliveries = Vec::new();
            if polled.inbox.poll_recv(cx, ROOM, &mut deliveries).is_pending() {
                break;
            }
            telemetry::delivered(deliveries.len());
            for delivery in deliveries {
                match delivery {
                    Delivery::End(why) => end = Some(why),
                    _ => polled.client.render(delivery, &mut polled.out),
                }
            }
            if polled.out.len() >= enough {
                break;
            }
            if round >= ROUNDS {
                // All of it was nothing to this client, and nobody wakes it for the rest.
                cx.waker().wake_by_ref();
                break;
            }
        }
        if let Some(why) = end {
            let is_all = polled.say_last(&why);
            let body = polled.out.take();
            if is_all {
                telemetry::connection_ended(NAME, polled.session.id(), &why);
                *slot = None;
            }
            return Poll::Ready(Some(body).filter(|it| !it.is_empty()));
        }
        if polled.out.is_empty() && polled.release {
            return Poll::Ready(Some(String::new()));
        }
        if polled.out.is_empty() {
            polled.wake(cx);
            return Poll::Pending;
        }
        Poll::Ready(Some(polled.out.take()))
    }

    /// End the session; the poll that waits is answered with `farewell`.
    pub(super) fn part(&self, why: &Close, farewell: &'static str) {
        // Of two ends the first counts.
        self.farewell.set(farewell).ok();
        self.close(why);
    }

    /// End the session; the poll that waits is refused.
    pub(super) fn close(&self, why: &Close) {
        let mut slot = self.lock();
        let Some(polled) = slot.take() else { return };
        // Clients that are sent away may close it themselves.
        let why = polled.session.info().ending().unwrap_or(why);
        telemetry::connection_ended(NAME, polled.session.id(), why);
        drop(slot);
        polled.wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing counts any more of what the client says, but for a poll.
    pub(super) fn is_ending(&self) -> bool {
        let now = Instant::now();
        self.lock().as_ref().is_some_and(|it| it.is_ending(now))
    }

    fn end_if_over(&self, now: Instant) {
        let why = self.lock().as_mut().and_then(|it| it.is_over(now));
        if let Some(why) = why {
            self.close(&why);
        }
    }

    /// Let a poll that is under way come to its end, and further ones too.
    pub(super) fn release(&self) {
        let mut slot = self.lock();
        let Some(polled) = slot.as_mut() else { return };
        polled.release = true;
        let wakers = std::mem::take(&mut polled.wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The upgrade came to nothing: go on polling.
    pub(super) fn keep(&self) {
        if let Some(polled) = self.lock().as_mut() {
            polled.release = false;
        }
    }

    /// Take the session away, once nothing is written to it any more; `None` if it is gone.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Polled>> {
        let mut slot = self.lock();
        if let Some(polled) = slot.as_mut().filter(|it| it.busy.writing) {
            polled.wake(cx);
            return Poll::Pending;
        }
        let mut taken = slot.take();
        self.upgraded.store(taken.is_some(), Relaxed);
        drop(slot);
        if let Some(polled) = &mut taken {
            std::mem::take(&mut polled.wakers).into_iter().for_each(Waker::wake);
        }
        Poll::Ready(taken)
    }
}

// === impl Polled ===

impl Polled {
    /// What was not polled.
    pub(super) fn rest(&self) -> Vec<String> {
        self.out.packets().map(str::to_owned).collect()
    }

    /// Wake this one when something changes.
    fn wake(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|it| it.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }

    /// Say the last words. False if there are more for the next poll: who is sent away must have read
    /// so before it is told of the end.
    fn say_last(&mut self, why: &Close) -> bool {
        let was_connected = self.client.connected().is_some();
        self.client.end(why, &mut self.out);
        if !was_connected {
            // Others find no session at the next poll. Clients in Python never come back after this.
            self.out.packet(packet::CLOSE);
        }
        !was_connected || self.client.connected().is_some()
    }

    fn is_over(&mut self, now: Instant) -> Option<Close> {
        // Who polls is told by the poll.
        if self.busy.reading {
            return None;
        }
        if now >= self.heard + self.ping_interval + self.ping_timeout {
            return Some(Close::NO_PONG);
        }
        if !self.is_ending(now) {
            self.ending = None;
            return None;
        }
        if self.session.info().ending() == Some(&Close::CROWDED) {
            return Some(Close::CROWDED);
        }
        let since = *self.ending.get_or_insert(now);
        let why = self.client_ended(now).unwrap_or(Close::KICKED);
        (now >= since + LINGER).then_some(why)
    }

    fn is_ending(&self, now: Instant) -> bool {
        self.session.info().is_ending() || self.client_ended(now).is_some()
    }

    /// Why the client has to go, if it has.
    fn client_ended(&self, now: Instant) -> Option<Close> {
        self.client.ends().filter(|(at, _)| now >= *at).map(|(_, why)| why)
    }
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled").field("busy", &self.busy).finish_non_exhaustive()
    }
}
