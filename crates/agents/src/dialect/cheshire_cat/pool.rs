//! A connection for each user, and who may use it next.
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
    link::Link,
};

/// How often idle connections are looked after. The Cat's server pings every 20 s, and waits for
/// the pong as long.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    idle_timeout: Duration,
    max_idle: usize,
    life: Life,
    users: Mutex<Users>,
    given_up: Mutex<GivenUp>,
}

#[derive(Default)]
struct Users {
    all: HashMap<Arc<str>, User>,
    /// Whose connections are idle; first the one that has been so for longest.
    idle: BTreeMap<u64, Arc<str>>,
    next: u64,
    /// Whether somebody looks after the idle ones.
    is_looked_after: bool,
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
    link: Box<Link>,
}

/// The right to talk to the Cat as a user, one turn at a time.
pub(super) struct Claim {
    pool: Arc<Pool>,
    user: Arc<str>,
    /// A question whose reply has not come.
    asked: Option<Arc<str>>,
    permit: Option<OwnedSemaphorePermit>,
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(idle_timeout: Duration, max_idle: usize, life: Life) -> Self {
        let (users, given_up) = (Mutex::default(), Mutex::default());
        Self { idle_timeout, max_idle, life, users, given_up }
    }

    /// Waits until every earlier turn of `user` has ended.
    pub(super) async fn claim(self: &Arc<Self>, user: &Arc<str>) -> Claim {
        let turns = {
            let mut users = self.users();
            let it = users.all.entry(Arc::clone(user)).or_insert_with(|| User {
                turns: Arc::new(Semaphore::new(1)),
                claims: 0,
                parked: None,
            });
            it.claims += 1;
            Arc::clone(&it.turns)
        };
        // Made before waiting, so that giving up takes it back.
        let (pool, user) = (Arc::clone(self), Arc::clone(user));
        let mut claim = Claim { pool, user, asked: None, permit: None };
        claim.permit = turns.acquire_owned().await.ok();
        claim
    }

    fn given_up(&self) -> MutexGuard<'_, GivenUp> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after the idle connections until there are none, or the process stops.
    async fn look_after(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK.min(self.idle_timeout / 4).max(LOOK / 100));
        loop {
            tokio::select! {
                () = self.life.draining() => break,
                _ = every.tick() => if !self.look() { return },
            }
        }
        // Dropped outside of the lock.
        let all = {
            let mut users = self.users();
            users.is_looked_after = false;
            let numbers: Vec<_> = users.idle.keys().copied().collect();
            numbers.into_iter().filter_map(|it| users.take(it)).collect::<Vec<_>>()
        };
        drop(all);
    }

    /// Answers pings, and closes what has been idle for long or is not quiet. False when nothing
    /// is left.
    fn look(&self) -> bool {
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
        users.is_looked_after = !users.idle.is_empty();
        users.is_looked_after
    }
}

// === impl Users ===

impl Users {
    fn parked(&mut self, number: u64) -> Option<&mut Parked> {
        self.all.get_mut(self.idle.get(&number)?)?.parked.as_mut()
    }

    /// Takes an idle connection out, and forgets the user if that was all about it.
    fn take(&mut self, number: u64) -> Option<Box<Link>> {
        let user = self.idle.remove(&number)?;
        let it = self.all.get_mut(&user)?;
        let parked = it.parked.take();
        if it.claims == 0 {
            self.all.remove(&user);
        }
        parked.map(|it| it.link)
    }
}

// === impl Claim ===

impl Claim {
    /// The user's connection, if it has one.
    pub(super) fn parked(&self) -> Option<Box<Link>> {
        let mut users = self.pool.users();
        let number = users.all.get(&self.user)?.parked.as_ref()?.number;
        users.take(number)
    }

    /// The Cat may answer this from now on, also if nobody waits for it any more.
    pub(super) fn asked(&mut self, question: &Arc<str>) {
        self.asked = Some(Arc::clone(question));
    }

    /// Whether a reply that says what it was asked is the reply to another question: one that this
    /// user gave up. Plugins rewrite questions, so any other is the one that was asked.
    pub(super) fn is_of_another(&self, input: &str) -> bool {
        let is_asked = self.asked.as_ref().is_some_and(|asked| given_up::is_of(input, asked));
        !is_asked && self.pool.given_up().has(&self.user, input)
    }

    /// Keeps the connection for the user's next turn, unless there is something to be read on it. The
    /// reply has come.
    pub(super) fn park(mut self, mut link: Box<Link>) {
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
        let oldest = first.filter(|_| too_many).and_then(|it| users.take(it));
        let is_first = !mem::replace(&mut users.is_looked_after, true);
        drop(users);
        drop(oldest);
        if is_first {
            pool.life.spawn("agents: idle connections", Arc::clone(pool).look_after());
        }
    }
}

impl Drop for Claim {
    /// Another turn may go on after this, because the permit is dropped last.
    fn drop(&mut self) {
        if let Some(question) = self.asked.take() {
            self.pool.given_up().add(&self.user, &question);
        }
        let mut users = self.pool.users();
        if let Some(it) = users.all.get_mut(&self.user) {
            it.claims -= 1;
            if it.claims == 0 && it.parked.is_none() {
                users.all.remove(&self.user);
            }
        }
    }
}
