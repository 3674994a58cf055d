//! The turn desk: takes questions, runs one turn at a time in each topic, and makes sure that each
//! turn has exactly one last record.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use quadrille_core::{Hub, Life, Pool, Shares, Shortage, Topic, Turns};
use uuid::Uuid;

use crate::{
    Code, Config, Given,
    agents::Agents,
    ask::{Ask, Refused},
    index::TurnIndex,
    journal::{Journal, NotStored},
    named_agent::NamedAgent,
    queue::Queue,
    run::Runner,
    telemetry,
    ticket::{Begin, Ended, Ending, Stop, Ticket, TurnState},
};

mod begin;
mod growth;

/// Scheduler of turns. Cloning shares it.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    runner: Runner,
    life: Life,
    agents: HashMap<String, Arc<NamedAgent>>,
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

/// Interval between two looks for turns that have waited too long or ended long ago.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

// === impl Desk ===

impl Desk {
    /// A desk that serves `agents`, publishes in `hub` and stores turns in `journal`. The agent that
    /// `config` names as the default must be among `agents`.
    pub fn new(
        config: Config,
        agents: Vec<NamedAgent>,
        journal: Arc<dyn Journal>,
        hub: &Hub,
        shares: &Shares,
        life: &Life,
    ) -> Self {
        let Config { max_running, max_queued, max_waiting, .. } = config;
        let queue = Queue::new(max_running, max_queued, max_waiting, shares);
        let agents =
            agents.into_iter().map(|agent| (agent.name.to_string(), Arc::new(agent))).collect();
        let state = State { queue, index: TurnIndex::default(), closed: false };
        let inner = Inner {
            runner: Runner { hub: hub.clone(), config, journal },
            life: life.clone(),
            agents,
            bytes: Pool::new("question_bytes", QUESTION_BYTES, shares),
            state: Mutex::new(state),
        };
        let desk = Self(Arc::new(inner));
        life.spawn("turns", desk.clone().sweep(life.clone()));
        life.spawn("turn growth", desk.clone().grow(life.clone()));
        desk
    }

    /// The desk of a node: serves the configured agents, stores turns in `journal`, and lets every
    /// protocol cancel turns. Panics if `turns` has a desk already.
    pub fn open(
        agents: Agents,
        journal: Arc<dyn Journal>,
        hub: &Hub,
        turns: &Turns,
        shares: &Shares,
        life: &Life,
    ) -> Self {
        let Agents { config, all } = agents;
        let desk = Self::new(config, all, journal, hub, shares, life);
        let cancelling = desk.clone();
        turns.register(move |topic, turn| {
            let ticket = match turn {
                Some(turn) => cancelling.find(turn).filter(|ticket| ticket.topic() == topic),
                None => cancelling.current(topic),
            };
            ticket.inspect(|ticket| cancelling.cancel(ticket)).map(|ticket| ticket.id())
        });
        desk
    }

    /// Takes a question: its turn runs now or waits, or is the one of the same key. The question is
    /// stored before this resolves, and also if the caller stops waiting.
    pub async fn ask(&self, ask: Ask) -> Result<Ticket, Refused> {
        self.ask_with(ask, Given::default()).await
    }

    /// [`Self::ask`], with additions of the client. They go to the agent, and to no reader of the
    /// topic.
    pub async fn ask_with(&self, ask: Ask, given: Given) -> Result<Ticket, Refused> {
        self.put(ask, given)?.begun().await.inspect_err(telemetry::refused)
    }

    /// [`Self::ask_with`], without waiting until the question is stored, as [`Ticket::begun`] does.
    pub fn put(&self, ask: Ask, given: Given) -> Result<Ticket, Refused> {
        self.take(ask, given).inspect_err(telemetry::refused)
    }

    fn take(&self, ask: Ask, given: Given) -> Result<Ticket, Refused> {
        let name = ask.agent.as_deref().unwrap_or(&self.0.runner.config.default);
        let agent = Arc::clone(self.0.agents.get(name).ok_or(Refused::NoAgent)?);
        if let Some(joined) = self.state().join_or_check_room(&ask, &agent.name)? {
            return Ok(joined);
        }
        let bytes = self.0.bytes.take(&ask.holder, TurnState::size_of(&ask, &given)).map_err(
            |shortage| match shortage {
                Shortage::Full => Refused::DeskFull,
                Shortage::Share | Shortage::Strangers => Refused::Share,
            },
        )?;
        // Only now: a question that is refused, or joins, needs no log. Other questions may have
        // come meanwhile.
        let since = self.0.runner.hub.open(&ask.topic)?;
        let mut state = self.state();
        if let Some(joined) = state.join_or_check_room(&ask, &agent.name)? {
            return Ok(joined);
        }
        let turn = Arc::new(TurnState::new(ask, given, agent, since));
        let TurnState { ask, .. } = &*turn;
        state.queue.push(&ask.topic, &ask.user, &ask.holder, Arc::clone(&turn))?;
        state.index.insert(Arc::clone(&turn), bytes);
        self.start(state);
        if !turn.started.load(Relaxed) {
            self.0.life.spawn("turn", self.clone().begin_waiting(Arc::clone(&turn)));
        }
        Ok(Ticket(turn))
    }

    /// The name of the agent of a question that names this one or none.
    pub fn agent_name<'a>(&'a self, given: Option<&'a str>) -> &'a str {
        given.unwrap_or(&self.0.runner.config.default)
    }

    /// The turn of this id, if it waits, runs, or ended not long ago.
    pub fn find(&self, id: Uuid) -> Option<Ticket> {
        self.state().index.find(id).map(|turn| Ticket(Arc::clone(turn)))
    }

    /// The turn of this id, from the journal if this desk does not know it.
    pub async fn look_up(&self, id: Uuid) -> Option<Ticket> {
        if let Some(known) = self.find(id) {
            return Some(known);
        }
        let kept = self.0.runner.journal.find(id).await?;
        let agent = self.0.agents.get(&*kept.agent).map(Arc::clone);
        let agent = agent.unwrap_or_else(|| Arc::new(NamedAgent::absent(&kept.agent)));
        Some(Ticket(Arc::new(TurnState::restored(kept, agent))))
    }

    /// The turn that runs in `topic`, or else the one that has waited longest.
    pub fn current(&self, topic: &Topic) -> Option<Ticket> {
        self.state().index.current(topic).map(|turn| Ticket(Arc::clone(turn)))
    }

    /// Ends `turn` before its reply is complete. Changes nothing if it has ended;
    /// [`Ticket::ended`] tells which of the two came first.
    pub fn cancel(&self, turn: &Ticket) {
        let Ticket(turn) = turn;
        let is_meant = |waiting: &Arc<TurnState>| waiting.id == turn.id;
        let removed = self.state().queue.remove(&turn.ask.topic, is_meant);
        match removed {
            Some(turn) => self.end_waiting(turn, Ending::Cancelled("".into())),
            // Fails if the turn is to stop already.
            None => drop(turn.stop.set(Stop::Cancelled)),
        }
    }

    /// Ends every turn of `topic`, whose replies would have no reader, and waits for their last
    /// records.
    pub async fn clear(&self, topic: &Topic) {
        while let Some(turn) = self.current(topic) {
            self.cancel(&turn);
            turn.ended().await;
        }
    }

    /// Takes no more questions, and lets running turns go on for at most `limit`. Turns that wait,
    /// and turns that take longer, fail with `interrupted`.
    pub async fn drain(&self, limit: Duration) {
        let waiting = {
            let mut state = self.state();
            state.closed = true;
            state.queue.remove_all(|_| true)
        };
        for turn in waiting {
            self.end_waiting(turn, Ending::failed(Code::Interrupted));
        }
        let running = self.state().index.unfinished();
        let ended = async {
            for turn in &running {
                turn.ended.wait().await;
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            for turn in &running {
                // Fails if the turn is to stop already.
                drop(turn.stop.set(Stop::Interrupted));
            }
            for turn in &running {
                turn.ended.wait().await;
            }
        }
    }

    /// Starts the turns that can start.
    fn start(&self, mut state: MutexGuard<'_, State>) {
        let mut turns = Vec::new();
        while let Some(turn) = state.queue.next() {
            turn.started.store(true, Relaxed);
            turns.push(turn);
        }
        telemetry::load(state.queue.running(), state.queue.waiting());
        drop(state);
        for turn in turns {
            self.0.life.spawn("turn", self.clone().run(turn));
        }
    }

    async fn run(self, turn: Arc<TurnState>) {
        let ending = match self.begin(&turn).await {
            Begin::Own => self.0.runner.run(&turn).await,
            Begin::NotStored => Ending::failed(Code::NotStored),
            Begin::Joined(_) | Begin::Refused(_) => return self.dismiss(&turn),
        };
        self.end(turn, ending).await;
    }

    /// Ends a turn that never ran.
    fn end_waiting(&self, turn: Arc<TurnState>, ending: Ending) {
        let desk = self.clone();
        self.0.life.spawn("turn", async move { desk.end(turn, ending).await });
    }

    /// Stores the end of `turn`, publishes its last record, and wakes its waiters. Called once for
    /// each turn: by the caller that took it out of the queue, to run it or to end it.
    async fn end(&self, turn: Arc<TurnState>, ending: Ending) {
        if matches!(turn.begun.wait().await, Begin::Joined(_) | Begin::Refused(_)) {
            return self.dismiss(&turn);
        }
        // Readers that have left already come back to the next process.
        let untold = self.state().closed && self.0.runner.hub.subscribers(&turn.ask.topic) == 0;
        let (ending, stored) = self.0.runner.store(&turn, ending, untold).await;
        if stored == Err(NotStored::Failed) && matches!(turn.begun.get(), Some(Begin::Own)) {
            let (desk, turn, ending) = (self.clone(), Arc::clone(&turn), ending.clone());
            self.0.life.spawn("turn end", async move {
                desk.0.runner.store_late(turn, ending, &desk.0.life).await;
            });
        }
        let message = stored.ok().flatten();
        let at = self.0.runner.publish_last(&turn, &ending, message).await;
        telemetry::ended(&turn, &ending);
        let mut state = self.state();
        if turn.started.load(Relaxed) {
            state.queue.done(&turn.ask.topic);
        }
        state.index.end(Arc::clone(&turn), &ending);
        state.index.evict(self.0.runner.config.keep, self.0.runner.config.kept_bytes);
        // Only now that its place is free: a client that has the reply may ask again at once.
        turn.ended.set(Ended { ending, at, message }).expect("a turn ends once");
        turn.forget_text();
        self.start(state);
    }

    async fn sweep(self, life: Life) {
        let mut every = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = life.draining() => return,
            }
            let Config { keep, kept_bytes, queue_timeout, .. } = self.0.runner.config;
            let late = {
                let mut state = self.state();
                state.index.evict(keep, kept_bytes);
                state.queue.remove_all(|turn| turn.asked.elapsed() >= queue_timeout)
            };
            for turn in late {
                self.end_waiting(turn, Ending::failed(Code::QueueTimeout));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// The turn that `ask` joins, or `None` if it needs one of its own and there is room for that.
    fn join_or_check_room(&self, ask: &Ask, agent: &str) -> Result<Option<Ticket>, Refused> {
        // A question that is stored already has found its key to be new.
        if ask.id.is_none()
            && let Some(turn) = self.index.find_by_key(ask)
        {
            let same = turn.ask.topic == ask.topic
                && turn.ask.text == ask.text
                && *turn.agent.name == *agent;
            return if same { Ok(Some(Ticket(Arc::clone(turn)))) } else { Err(Refused::KeyReused) };
        }
        if self.closed {
            return Err(Refused::Draining);
        }
        self.queue.check_room(&ask.topic, &ask.holder)?;
        Ok(None)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("agents", &self.0.agents.keys()).finish_non_exhaustive()
    }
}
