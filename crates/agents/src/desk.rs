//! The turn desk: takes questions, lets one turn run at a time in each topic, and sees to it that
//! each has exactly one last record.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use quadrille_core::{Core, Holder, Hub, Life, Pool, Shares, Shortage, TooManyTopics, Topic};
use uuid::Uuid;

use crate::{
    BadConfig, Code, Config, Given, Journal, Settings, Ticket, dialect,
    index::TurnIndex,
    journal::NotStored,
    named_agent::NamedAgent,
    queue::{Queue, QueueFull},
    run, telemetry,
    ticket::{Ended, Ending, Stop, TurnState},
};

/// Runs turns. Cloning shares it.
#[derive(Clone)]
pub struct Desk(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    life: Life,
    agents: HashMap<String, Arc<NamedAgent>>,
    pub(crate) journal: OnceLock<Journal>,
    /// Bytes of all turns that wait or run.
    bytes: Pool,
    state: Mutex<State>,
}

struct State {
    queue: Queue<Arc<TurnState>>,
    index: TurnIndex,
    closed: bool,
}

/// Bytes of all turns that wait or run.
pub const QUESTION_BYTES: usize = 256 << 20;

/// How often turns that wait too long, or that ended long ago, are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// A question for the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where the turn's records go.
    pub topic: Topic,
    /// Who asks.
    pub user: Arc<str>,
    /// The client whose share of the desk it takes.
    pub holder: Holder,
    pub text: Arc<str>,
    /// The name of the agent, if not the default.
    pub agent: Option<Arc<str>>,
    /// A second question of the same user and topic with this key joins the first one's turn.
    pub key: Option<Arc<str>>,
    /// What the turn is to be called, if the question is kept under that already.
    pub id: Option<Uuid>,
}

/// Why a question is not taken.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("too many questions wait in this topic")]
    TopicFull,
    #[error("too many questions wait")]
    DeskFull,
    /// Others may still ask.
    #[error("your share of the questions that may wait is taken; wait for a reply first")]
    Share,
    #[error("there is no agent of this name")]
    NoAgent,
    #[error("the key came with another question")]
    KeyReused,
    #[error("the gateway is shutting down")]
    Draining,
    #[error(transparent)]
    Topics(#[from] TooManyTopics),
}

// === impl Desk ===

impl Desk {
    /// A desk that serves `agents` and publishes in `hub`. The agent that `config` names as the
    /// default must be among them.
    pub fn new(
        config: Config,
        agents: Vec<NamedAgent>,
        hub: &Hub,
        shares: &Shares,
        life: &Life,
    ) -> Self {
        let Config { max_running, max_queued, max_waiting, .. } = config;
        let queue = Queue::new(max_running, max_queued, max_waiting, shares);
        let agents = agents.into_iter().map(|it| (it.name.to_string(), Arc::new(it))).collect();
        let state = State { queue, index: TurnIndex::default(), closed: false };
        let state = Mutex::new(state);
        let inner = Inner {
            hub: hub.clone(),
            config,
            life: life.clone(),
            agents,
            journal: OnceLock::new(),
            bytes: Pool::new("question_bytes", QUESTION_BYTES, shares),
            state,
        };
        let desk = Self(Arc::new(inner));
        life.spawn("turns", desk.clone().sweep(life.clone()));
        desk
    }

    /// A desk as it is configured; the configuration was [checked](Config::check). Fails with the
    /// first key of an agent that cannot be used.
    pub fn open(config: Config, core: &Core) -> Result<Self, BadConfig> {
        let open = |(name, settings): (&String, &Settings)| {
            Ok(NamedAgent::new(name, dialect::open(name, settings, &core.life)?, settings))
        };
        let agents = config.named.iter().map(open).collect::<Result<_, BadConfig>>()?;
        let desk = Self::new(config, agents, &core.hub, &core.shares, &core.life);
        let here = desk.clone();
        core.turns.register(move |topic, turn| {
            let ticket = here.find(turn).filter(|it| it.topic() == topic);
            ticket.inspect(|ticket| here.cancel(ticket)).is_some()
        });
        Ok(desk)
    }

    /// Keep what is asked and replied in `journal`, too. Only the first counts, and it must be there
    /// before anything is asked.
    pub fn keep_in(&self, journal: Journal) {
        // There is one who keeps turns; a second would be ignored.
        drop(self.0.journal.set(journal));
    }

    /// Take a question: its turn runs now or waits, or is the one that its key stands for.
    pub fn ask(&self, ask: Ask) -> Result<Ticket, Refused> {
        self.ask_with(ask, Given::default())
    }

    /// [`Self::ask`], with what the client gives along with the question. It is the agent's alone, and
    /// is told to nobody who watches.
    pub fn ask_with(&self, ask: Ask, given: Given) -> Result<Ticket, Refused> {
        self.take(ask, given).inspect_err(telemetry::refused)
    }

    fn take(&self, ask: Ask, given: Given) -> Result<Ticket, Refused> {
        let name = ask.agent.as_deref().unwrap_or(&self.0.config.default);
        let agent = Arc::clone(self.0.agents.get(name).ok_or(Refused::NoAgent)?);
        if let Some(joined) = self.state().join_or_room(&ask, &agent.name)? {
            return Ok(joined);
        }
        let bytes =
            self.0.bytes.take(&ask.holder, ask.size() + given.size()).map_err(|why| match why {
                Shortage::Full => Refused::DeskFull,
                Shortage::Share | Shortage::Strangers => Refused::Share,
            })?;
        // Only now: who is refused, or joins, needs no log. Meanwhile others may have asked.
        let since = self.0.hub.open(&ask.topic)?;
        let mut state = self.state();
        if let Some(joined) = state.join_or_room(&ask, &agent.name)? {
            return Ok(joined);
        }
        let turn = Arc::new(TurnState::new(ask, given, agent, since));
        let TurnState { ask, .. } = &*turn;
        state.queue.push(&ask.topic, &ask.user, &ask.holder, Arc::clone(&turn))?;
        state.index.enter(Arc::clone(&turn), bytes);
        self.start(state);
        Ok(Ticket(turn))
    }

    /// The turn of this id, if it waits, runs, or ended not long ago.
    pub fn find(&self, id: Uuid) -> Option<Ticket> {
        self.state().index.find(id).map(|turn| Ticket(Arc::clone(turn)))
    }

    /// The turn that runs in `topic`, or else the one that is next.
    pub fn current(&self, topic: &Topic) -> Option<Ticket> {
        let open = self.state().index.unfinished();
        let mut here: Vec<_> = open.into_iter().filter(|it| it.ask.topic == *topic).collect();
        here.sort_by_key(|it| (!it.started.load(Relaxed), it.asked));
        here.into_iter().next().map(Ticket)
    }

    /// End `turn` before its reply is complete. Changes nothing if it has ended;
    /// [`Ticket::ended`] tells which of the two came first.
    pub fn cancel(&self, turn: &Ticket) {
        let Ticket(turn) = turn;
        let removed = self.state().queue.remove(&turn.ask.topic, |it| it.id == turn.id);
        match removed {
            Some(turn) => self.end_waiting(turn, Ending::Cancelled("".into())),
            // Fails if it is to end already.
            None => drop(turn.stop.set(Stop::Cancelled)),
        }
    }

    /// End every turn of `topic`, whose replies would be for nobody, and wait for their last records.
    pub async fn clear(&self, topic: &Topic) {
        while let Some(turn) = self.current(topic) {
            self.cancel(&turn);
            turn.ended().await;
        }
    }

    /// Take no more questions, and let the turns that run go on for at most `limit`. Those that
    /// wait, and those that take longer, fail with `interrupted`.
    pub async fn drain(&self, limit: Duration) {
        let waiting = {
            let mut state = self.state();
            state.closed = true;
            state.queue.remove_all(|_| true)
        };
        for turn in waiting {
            self.end_waiting(turn, Ending::Failed(Code::Interrupted));
        }
        let running = self.state().index.unfinished();
        let ended = async {
            for turn in &running {
                turn.ended.wait().await;
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            for turn in &running {
                // Fails if it is to end already.
                drop(turn.stop.set(Stop::Interrupted));
            }
            for turn in &running {
                turn.ended.wait().await;
            }
        }
    }

    /// Start what can start.
    fn start(&self, mut state: MutexGuard<'_, State>) {
        let mut turns = Vec::new();
        while let Some(turn) = state.queue.next() {
            turn.started.store(true, Relaxed);
            turns.push(turn);
        }
        telemetry::standing(state.queue.running(), state.queue.waiting());
        drop(state);
        for turn in turns {
            self.0.life.spawn("turn", self.clone().run(turn));
        }
    }

    async fn run(self, turn: Arc<TurnState>) {
        let ending = run::run(&self.0, &turn).await;
        self.end(turn, ending).await;
    }

    /// A turn ends that never ran.
    fn end_waiting(&self, turn: Arc<TurnState>, ending: Ending) {
        let desk = self.clone();
        self.0.life.spawn("turn", async move { desk.end(turn, ending).await });
    }

    /// Publish the last record of `turn`. The one place where that is done, and it is reached once:
    /// by who took the turn out of the queue, to run it or to end it.
    async fn end(&self, turn: Arc<TurnState>, ending: Ending) {
        let (ending, message) = self.kept(&turn, ending).await;
        let at = run::publish_last(&self.0.hub, &turn, &ending, message).await;
        telemetry::ended(&turn, &ending);
        let mut state = self.state();
        if turn.started.load(Relaxed) {
            state.queue.done(&turn.ask.topic);
        }
        state.index.close(Arc::clone(&turn), &ending);
        state.index.forget(self.0.config.keep, self.0.config.kept_bytes);
        // Not before its place is free: who has the reply may ask the next question at once.
        turn.ended.set(Ended { ending, at, message }).expect("a turn ends once");
        self.start(state);
    }

    /// Store how `turn` ended, before anybody is told. A reply that cannot be stored is none.
    async fn kept(&self, turn: &Arc<TurnState>, ending: Ending) -> (Ending, Option<i64>) {
        let Some(journal) = self.0.journal.get() else { return (ending, None) };
        match journal.end(Ticket(Arc::clone(turn)), ending.clone()).await {
            Ok(message) => (ending, message),
            Err(NotStored) if matches!(ending, Ending::Completed(_)) => {
                (Ending::Failed(Code::NotStored), None)
            }
            Err(NotStored) => (ending, None),
        }
    }

    async fn sweep(self, life: Life) {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = life.draining() => return,
            }
            let Config { keep, kept_bytes, queue_timeout, .. } = self.0.config;
            let late = {
                let mut state = self.state();
                state.index.forget(keep, kept_bytes);
                state.queue.remove_all(|turn| turn.asked.elapsed() >= queue_timeout)
            };
            for turn in late {
                self.end_waiting(turn, Ending::Failed(Code::QueueTimeout));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// The turn that `ask` joins, or `None` if it is to have one of its own and there is room.
    fn join_or_room(&self, ask: &Ask, agent: &str) -> Result<Option<Ticket>, Refused> {
        if let Some(turn) = self.index.joined(ask) {
            let same = turn.ask.text == ask.text && *turn.agent.name == *agent;
            return if same { Ok(Some(Ticket(Arc::clone(turn)))) } else { Err(Refused::KeyReused) };
        }
        if self.closed {
            return Err(Refused::Draining);
        }
        self.queue.room(&ask.topic, &ask.holder)?;
        Ok(None)
    }
}

// === impl Ask ===

impl Ask {
    /// Bytes of memory that its turn takes, without the reply.
    pub(crate) fn size(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.len());
        let names = self.topic.as_str().len() + self.user.len();
        2 * size_of::<TurnState>() + self.text.len() + names + key
    }
}

// === impl Refused ===

impl From<QueueFull> for Refused {
    fn from(full: QueueFull) -> Self {
        match full {
            QueueFull::Topic => Self::TopicFull,
            QueueFull::Desk => Self::DeskFull,
            QueueFull::Share => Self::Share,
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("agents", &self.0.agents.keys()).finish_non_exhaustive()
    }
}
