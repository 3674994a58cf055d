//! An agent whose reply is whatever stream the test gives it, and a desk that it serves.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{StreamExt, future, stream};
use quadrille_agents::{
    Agent, Ask, Config, Desk, Failure, Journal, Kind, NamedAgent, Part, Question, Reply, Settings,
};
use quadrille_core::{
    Holder, Hub, Life, Limits, Policies, Policy, Shares, Since, Topic,
    turn::{ToolState, TurnEvent},
    user_topic,
};

pub(crate) type Make = Box<dyn Fn(Question) -> Reply + Send + Sync>;

/// Counts how often it is asked, and how many of its replies are open.
pub(crate) struct Script {
    make: Make,
    pub(crate) calls: AtomicUsize,
    pub(crate) open: Arc<AtomicUsize>,
    window: usize,
}

/// One open reply.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Agent for Script {
    fn ask(&self, question: Question) -> Reply {
        self.calls.fetch_add(1, SeqCst);
        self.open.fetch_add(1, SeqCst);
        let open = Open(Arc::clone(&self.open));
        (self.make)(question).map(move |part| (&open, part).1).boxed()
    }

    fn window(&self) -> usize {
        self.window
    }
}

/// A desk and what is needed to look at it.
pub(crate) struct Stage {
    pub(crate) desk: Desk,
    pub(crate) hub: Hub,
    pub(crate) life: Life,
    pub(crate) script: Arc<Script>,
}

impl Stage {
    pub(crate) fn new(make: impl Fn(Question) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(|_, _| {}, make)
    }

    /// A stage whose desk and agent `change` changes.
    pub(crate) fn with(
        change: impl FnOnce(&mut Config, &mut Settings),
        make: impl Fn(Question) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::on(Policy::default(), change, make)
    }

    /// A stage with logs of this policy.
    pub(crate) fn on(
        policy: Policy,
        change: impl FnOnce(&mut Config, &mut Settings),
        make: impl Fn(Question) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::shared(&Shares::default(), policy, change, make)
    }

    /// A stage whose desk is divided by `shares`.
    pub(crate) fn shared(
        shares: &Shares,
        policy: Policy,
        change: impl FnOnce(&mut Config, &mut Settings),
        make: impl Fn(Question) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::keeping(Arc::new(()), shares, policy, change, make)
    }

    /// A stage whose desk stores turns in `journal`.
    pub(crate) fn keeping(
        journal: Arc<dyn Journal>,
        shares: &Shares,
        policy: Policy,
        change: impl FnOnce(&mut Config, &mut Settings),
        make: impl Fn(Question) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let mut config = Config { default: "script".to_owned(), ..Config::default() };
        let mut settings = Settings::new(Kind::Echo);
        change(&mut config, &mut settings);
        let life = Life::new();
        let hub = Hub::new(Policies::from(policy), &Limits::default(), &life);
        let script = Script {
            make: Box::new(make),
            calls: AtomicUsize::new(0),
            open: Arc::default(),
            window: 3,
        };
        let script = Arc::new(script);
        let named = NamedAgent::new("script", Arc::clone(&script) as Arc<dyn Agent>, &settings);
        let desk = Desk::new(config, vec![named], journal, &hub, shares, &life);
        Self { desk, hub, life, script }
    }

    /// The records of all turns in `topic`.
    pub(crate) fn records(&self, topic: &Topic) -> Vec<TurnEvent> {
        let history = self.hub.history(topic, Since::Start, usize::MAX).expect("there is a log");
        history
            .records
            .iter()
            .map(|record| TurnEvent::of(record).expect("a record of a turn"))
            .collect()
    }
}

/// A record in short.
pub(crate) fn short(record: &TurnEvent) -> String {
    match record {
        TurnEvent::Started(started) => format!("started {}", started.question),
        TurnEvent::Status(status) => format!("status {}", status.text),
        TurnEvent::Tool(tool) if tool.state == ToolState::Input => {
            format!("tool {} {}", tool.name, tool.text)
        }
        TurnEvent::Tool(tool) => format!("tool {} {}", tool.name, tool.state.as_str()),
        TurnEvent::Reasoning(delta) => format!("thought {} {}", delta.start, delta.text),
        TurnEvent::Source(source) => format!("source {}", source.url),
        TurnEvent::File(file) => format!("file {} {}", file.url.len(), file.media_type),
        TurnEvent::Data(data) => format!("data {} {}", data.name, data.value.get()),
        TurnEvent::Waiting(pending) => format!("waiting {}", pending.ask),
        TurnEvent::Answered(answered) => format!("answered {}", answered.ask),
        TurnEvent::Steered(steered) => format!("steered {}", steered.text),
        TurnEvent::Delta(delta) => format!("delta {} {}", delta.start, delta.text),
        TurnEvent::Completed(completed) => format!("completed {}", completed.text),
        TurnEvent::Failed(failed) => format!("failed {}", failed.code),
        TurnEvent::Cancelled(cancelled) => format!("cancelled {}", cancelled.text),
        TurnEvent::Snapshot(snapshot) => format!("snapshot {}", snapshot.text),
    }
}

pub(crate) fn topic(name: impl std::fmt::Display) -> Topic {
    user_topic(&name.to_string()).expect("a short name is a topic")
}

/// A question of user `user`, in the user's own topic.
pub(crate) fn ask(user: &str, text: &str) -> Ask {
    Ask {
        topic: topic(user),
        user: user.into(),
        holder: Holder::User(user.into()),
        text: text.into(),
        agent: None,
        key: None,
        id: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a reply is made of results")]
pub(crate) fn say(text: &str) -> Result<Part, Failure> {
    Ok(Part::Text(text.to_owned()))
}

/// These parts, one after the other, each `pause` after the one before.
pub(crate) fn paced(parts: Vec<Result<Part, Failure>>, pause: Duration) -> Reply {
    let later = move |part| async move {
        tokio::time::sleep(pause).await;
        part
    };
    stream::iter(parts).then(later).boxed()
}

/// These parts, and then silence.
pub(crate) fn silent_after(parts: Vec<Result<Part, Failure>>) -> Reply {
    stream::iter(parts).chain(stream::once(future::pending())).boxed()
}
