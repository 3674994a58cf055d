//! Readers that come and go while turns run, against the texts as they were published.
use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use quadrille_core::{
    BatchLimit, Delivery, Draft, Event, Hub, Inbox, OnSlow, Policy, Position, Since, Topic,
    turn::{Completed, Delta, Started, Status, TurnEvent},
};
use uuid::Uuid;

use crate::{holding, hub, topic};

#[derive(Clone, Debug)]
enum Action {
    Message,
    Begin,
    Say {
        text: String,
    },
    Notice,
    End,
    Read {
        reader: usize,
        records: usize,
    },
    /// Comes without a cursor.
    Join {
        reader: usize,
    },
    /// Comes with one of the positions that it had.
    Resume {
        reader: usize,
        which: prop::sample::Index,
    },
    Settle,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Message),
        2 => Just(Action::Begin),
        12 => "[aä€😀\"]{0,9}".prop_map(|text| Action::Say { text }),
        2 => Just(Action::Notice),
        1 => Just(Action::End),
        5 => (0..READERS, 1..9_usize)
            .prop_map(|(reader, records)| Action::Read { reader, records }),
        2 => (0..READERS).prop_map(|reader| Action::Join { reader }),
        2 => (0..READERS, any::<prop::sample::Index>())
            .prop_map(|(reader, which)| Action::Resume { reader, which }),
        1 => Just(Action::Settle),
    ]
}

const READERS: usize = 3;
const EVENTS: usize = 6;

/// All that was published.
#[derive(Default)]
struct Model {
    running: Option<Uuid>,
    texts: HashMap<Uuid, String>,
    /// The text of a turn after each of its records.
    at: BTreeMap<u64, String>,
    messages: u64,
    /// Number of messages up to each record.
    messages_at: BTreeMap<u64, u64>,
}

/// State that a reader builds from its deliveries.
#[derive(Clone, Debug, Default)]
struct View {
    texts: HashMap<Uuid, String>,
    messages: u64,
    gaps: u64,
    /// A snapshot is to come.
    is_owed: bool,
    last: Option<Position>,
}

struct Reader {
    inbox: Inbox,
    /// Merged text comes in the place of its newest part: only all of a batch is a place to leave.
    merges: bool,
    view: View,
    /// The view at each position from which the reader may resume.
    kept: Vec<(Position, View)>,
}

impl Model {
    fn publish(&mut self, hub: &Hub, draft: Draft) {
        let receipt = futures_util::FutureExt::now_or_never(hub.publish(draft)).unwrap().unwrap();
        self.messages_at.insert(receipt.at.offset, self.messages);
        if let Some(turn) = self.running {
            self.at.insert(receipt.at.offset, self.texts[&turn].clone());
        }
    }
}

impl Reader {
    fn read(&mut self, model: &Model, records: usize) -> Result<bool, TestCaseError> {
        let waker = futures_util::task::noop_waker();
        let mut cx = std::task::Context::from_waker(&waker);
        let (mut out, room) = (Vec::new(), BatchLimit { records, bytes: usize::MAX });
        let is_ready = self.inbox.poll_recv(&mut cx, room, &mut out).is_ready();
        for delivery in out {
            match delivery {
                Delivery::Record(record, _) => self.record(&record, model)?,
                Delivery::Gap(gap, _) => {
                    self.view.gaps += 1;
                    self.view.is_owed = model.running.is_some();
                    self.view.last = Some(gap.at);
                }
                other => prop_assert!(false, "{:?}", other),
            }
            if !self.merges {
                self.keep();
            }
        }
        Ok(is_ready)
    }

    fn keep(&mut self) {
        if let Some(last) = self.view.last.filter(|_| !self.view.is_owed) {
            self.kept.push((last, self.view.clone()));
        }
    }

    fn record(&mut self, record: &Event, model: &Model) -> Result<(), TestCaseError> {
        let view = &mut self.view;
        let before = view.last.replace(record.at).map(|last| last.offset);
        prop_assert!(before < Some(record.at.offset), "{:?} after {:?}", record, before);
        match TurnEvent::of(record) {
            Some(TurnEvent::Snapshot(snapshot)) => {
                prop_assert_eq!(&snapshot.text, &model.at[&record.at.offset]);
                let payload = TurnEvent::Snapshot(snapshot.clone()).payload();
                prop_assert_eq!(&*record.payload, payload.as_str());
                view.texts.insert(snapshot.turn, snapshot.text);
                view.is_owed = false;
            }
            Some(TurnEvent::Started(started)) => {
                view.texts.insert(started.turn, String::new());
                view.is_owed = false;
            }
            Some(TurnEvent::Delta(Delta { turn, start, text })) => {
                let whole = view.texts.entry(turn).or_default();
                let start = usize::try_from(start).unwrap();
                if start > whole.chars().count() {
                    prop_assert!(model.running != Some(turn), "a hole before {}", start);
                }
                let kept: String = whole.chars().take(start).collect();
                *whole = kept + &text;
            }
            Some(TurnEvent::Completed(end)) => {
                prop_assert_eq!(&*end.text, model.texts[&end.turn].as_str());
                view.is_owed = false;
            }
            Some(_) => {}
            None => {
                let number: u64 = record.payload.parse().unwrap();
                prop_assert!(number >= view.messages);
                prop_assert!(number == view.messages || view.gaps > 0, "lost in silence");
                view.messages = number + 1;
            }
        }
        Ok(())
    }

    /// Reads all, and compares it with what there is.
    fn settle(&mut self, model: &Model) -> Result<(), TestCaseError> {
        while self.read(model, 64)? {}
        self.keep();
        if let Some(turn) = model.running {
            let text = self.view.texts.get(&turn);
            prop_assert_eq!(text, Some(&model.texts[&turn]));
        }
        prop_assert!(self.view.messages == model.messages || self.view.gaps > 0);
        Ok(())
    }
}

fn run(policy: Policy, actions: Vec<Action>) -> Result<(), TestCaseError> {
    let merges = policy.on_slow == OnSlow::Coalesce;
    let (hub, topic): (Hub, Topic) = (hub(policy), topic("1"));
    let mut model = Model::default();
    let mut readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut inbox = hub.inbox();
            inbox.subscribe(&topic, Since::Now, 0).unwrap();
            Reader { inbox, merges, view: View::default(), kept: Vec::new() }
        })
        .collect();
    for action in actions {
        let running = model.running;
        match action {
            Action::Message => {
                let draft = Draft::new(topic.clone(), "n", model.messages.to_string());
                model.messages += 1;
                model.publish(&hub, draft);
            }
            Action::Begin if running.is_none() => {
                let turn = Uuid::from_u128(model.texts.len() as u128);
                let text = || "x".into();
                let started = Started { turn, agent: text(), user: text(), question: text() };
                model.running = Some(turn);
                model.texts.insert(turn, String::new());
                model.publish(&hub, TurnEvent::Started(started).draft(topic.clone()));
            }
            Action::Say { text } => {
                let Some(turn) = running else { continue };
                let whole = model.texts.get_mut(&turn).unwrap();
                let start = whole.chars().count() as u64;
                whole.push_str(&text);
                let delta = TurnEvent::Delta(Delta { turn, start, text });
                model.publish(&hub, delta.draft(topic.clone()));
            }
            Action::Notice => {
                let Some(turn) = running else { continue };
                let status = TurnEvent::Status(Status { turn, text: "searching".to_owned() });
                model.publish(&hub, status.draft(topic.clone()));
            }
            Action::End => {
                let Some(turn) = running else { continue };
                let text = model.texts[&turn].as_str().into();
                let end = TurnEvent::Completed(Completed { turn, text, ..Completed::default() });
                model.running = None;
                model.publish(&hub, end.draft(topic.clone()));
            }
            Action::Begin => {}
            Action::Read { reader, records } => {
                readers[reader].read(&model, records)?;
            }
            Action::Join { reader } => {
                let reader = &mut readers[reader];
                let begin = reader.inbox.subscribe(&topic, Since::Now, 0).unwrap();
                reader.kept.push((begin, View { last: Some(begin), ..View::default() }));
                let is_owed = running.is_some();
                reader.view = View { messages: model.messages, is_owed, ..View::default() };
            }
            Action::Resume { reader, which } => {
                let reader = &mut readers[reader];
                if !reader.kept.is_empty() {
                    let (at, view) = which.get(&reader.kept).clone();
                    // A snapshot may be older than what was said before its reader joined.
                    let messages = model.messages_at.get(&at.offset).copied().unwrap_or_default();
                    reader.view = View { messages, ..view };
                    reader.inbox.subscribe(&topic, Since::After(at), 0).unwrap();
                }
            }
            Action::Settle => {
                for reader in &mut readers {
                    reader.settle(&model)?;
                }
            }
        }
    }
    readers.iter_mut().try_for_each(|reader| reader.settle(&model))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_snapshot_and_what_follows_are_the_whole_text(
        actions in prop::collection::vec(action(), 1..150),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let tight = Policy { bytes: 2000, ..holding(EVENTS, OnSlow::Coalesce) };
        for policy in [holding(EVENTS, OnSlow::Skip), holding(EVENTS, OnSlow::Coalesce), tight] {
            run(policy, actions.clone())?;
        }
    }
}
