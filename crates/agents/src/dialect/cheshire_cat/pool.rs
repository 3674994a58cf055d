//! One connection for each user, used by one turn at a time.
use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use quadrille_core::Life;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    given_up::{self, GivenUp},
    link::CatLink,
};

/// Interval of checks on idle connections. The Cat's server pings every 20 s, and waits for the pong
/// as long.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct LinkPool {
    idle_timeout: Duration,
    max_idle: usize,
    life: Life,
    users: Mutex<Users>,
    given_up: Mutex<GivenUp>,
}

#[derive(Default)]
struct Users {
    all: HashMap<Arc<str>, User>,
    /// The users with an idle connection, the one idle for longest first.
    idle: BTreeMap<u64, Arc<str>>,
    next: u64,
    /// Whether a task checks the idle connections.
    is_checked: bool,
}

struct User {
    turns: Arc<Semaphore>,
    /// Turns that run or wait.
    claims: usize,
    parked: Option<Parked>,
}

struct Parked {
    number: u64,
    since: Instant,
    link: Box<CatLink>,
}

/// The right to talk to the Cat as a user, one turn at a time.
pub(super) struct TurnClaim {
    pool: Arc<LinkPool>,
    user: Arc<str>,
    /// A question whose reply has not come.
    asked: Option<Arc<str>>,
    permit: Option<OwnedSemaphorePermit>,
}

// === impl LinkPool ===

impl LinkPool {
    pub(super) fn new(idle_timeout: Duration, max_idle: usize, life: Life) -> Self {
        let (users, given_up) = (Mutex::default(), Mutex::default());
        Self { idle_timeout, max_idle, life, users, given_up }
    }

    /// Waits until every earlier turn of `user` has ended.
    pub(super) async fn claim(self: &Arc<Self>, user: &Arc<str>) -> TurnClaim {
        let turns = {
            let mut users = self.users();
            let entry = users.all.entry(Arc::clone(user)).or_insert_with(|| User {
                turns: Arc::new(Semaphore::new(1)),
                claims: 0,
                parked: None,
            });
            entry.claims += 1;
            Arc::clone(&entry.turns)
        };
        // Made before waiting, so that dropping this future takes the claim back.
        let (pool, user) = (Arc::clone(self), Arc::clone(user));
        let mut claim = TurnClaim { pool, user, asked: None, permit: None };
        claim.permit = turns.acquire_owned().await.ok();
        claim
    }

    fn given_up(&self) -> MutexGuard<'_, GivenUp> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the idle connections until there are none, or the process stops.
    async fn check_idle(self: Arc<Self>) {
        let mut every = tokio::time::interval(
            CHECK_INTERVAL.min(self.idle_timeout / 4).max(CHECK_INTERVAL / 100),
        );
        loop {
            tokio::select! {
                () = self.life.draining() => break,
                _ = every.tick() => if !self.check() { return },
            }
        }
        // Dropped outside of the lock.
        let all = {
            let mut users = self.users();
            users.is_checked = false;
            let numbers: Vec<_> = users.idle.keys().copied().collect();
            numbers.into_iter().filter_map(|number| users.take(number)).collect::<Vec<_>>()
        };
        drop(all);
    }

    /// Answers pings, and closes connections that have been idle for too long or are not quiet. False
    /// when none is left.
    fn check(&self) -> bool {
        let numbers: Vec<_> = self.users().idle.keys().copied().collect();
        let mut cx = Context::from_waker(Waker::noop());
        for number in numbers {
            let mut users = self.users();
            let Some(parked) = users.parked(number) else { continue };
            let is_old = parked.since.elapsed() >= self.idle_timeout;
            if is_old || !parked.link.hush(&mut cx) {
                let gone = users.take(number);
                drop(users);
                drop(gone);
            }
        }
        let mut users = self.users();
        users.is_checked = !users.idle.is_empty();
        users.is_checked
    }
}

// === impl Users ===

impl Users {
    fn parked(&mut self, number: u64) -> Option<&mut Parked> {
        self.all.get_mut(self.idle.get(&number)?)?.parked.as_mut()
    }

    /// Takes an idle connection out, and forgets the user if nothing else is known of it.
    fn take(&mut self, number: u64) -> Option<Box<CatLink>> {
        let user = self.idle.remove(&number)?;
        let entry = self.all.get_mut(&user)?;
        let parked = entry.parked.take();
        if entry.claims == 0 {
            self.all.remove(&user);
        }
        parked.map(|parked| parked.link)
    }
}

// === impl TurnClaim ===

impl TurnClaim {
    /// The user's connection, if it has one.
    pub(super) fn parked(&self) -> Option<Box<CatLink>> {
        let mut users = self.pool.users();
        let number = users.all.get(&self.user)?.parked.as_ref()?.number;
        users.take(number)
    }

    /// Notes that the Cat may answer `question` from now on, also if the turn ends before.
    pub(super) fn asked(&mut self, question: &Arc<str>) {
        self.asked = Some(Arc::clone(question));
    }

    /// Whether a reply that repeats its question answers another one: one that this user gave up.
    /// Plugins rewrite questions, so any unknown text is the present question.
    pub(super) fn is_of_another(&self, input: &str) -> bool {
        let is_asked = self.asked.as_ref().is_some_and(|asked| given_up::is_of(input, asked));
        !is_asked && self.pool.given_up().has(&self.user, input)
    }

    /// Keeps the connection for the user's next turn once the reply has come, unless there is more to
    /// be read on it.
    pub(super) fn park(mut self, mut link: Box<CatLink>) {
        self.asked = None;
        let pool = &self.pool;
        let mut cx = Context::from_waker(Waker::noop());
        let is_kept = pool.max_idle > 0 && !pool.life.is_draining();
        if !is_kept || !link.hush(&mut cx) {
            return;
        }
        let mut users = pool.users();
        let number = users.next;
        users.next += 1;
        let Some(user) = users.all.get_mut(&self.user) else { return };
        user.parked = Some(Parked { number, since: Instant::now(), link });
        users.idle.insert(number, Arc::clone(&self.user));
        let first = users.idle.first_key_value().map(|(number, _)| *number);
        let too_many = users.idle.len() > pool.max_idle;
        let oldest = first.filter(|_| too_many).and_then(|number| users.take(number));
        let is_first = !mem::replace(&mut users.is_checked, true);
        drop(users);
        drop(oldest);
        if is_first {
            pool.life.spawn("agents: idle connections", Arc::clone(pool).check_idle());
        }
    }
}

impl Drop for TurnClaim {
    /// Another turn may go on after this, because the permit is dropped last.
    fn drop(&mut self) {
        if let Some(question) = self.asked.take() {
            self.pool.given_up().add(&self.user, &question);
        }
        let mut users = self.pool.users();
        if let Some(entry) = users.all.get_mut(&self.user) {
            entry.claims -= 1;
            if entry.claims == 0 && entry.parked.is_none() {
                users.all.remove(&self.user);
            }
        }
    }
}
