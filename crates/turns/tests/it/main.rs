//! Turns over a real store: what a process left is ended and told once.
use e2e::scratch::Scratch;
use quadrille_core::{
    Hub, Life, Limits, Policies, Since, Topic,
    turn::{Failed, TurnEvent},
};
use quadrille_store::{Config, NewEnd, NewTurn, Segment, Store, StoredState};
use quadrille_turns::StoreJournal;
use uuid::Uuid;

struct Bed {
    store: Store,
    _home: Scratch,
}

impl Bed {
    async fn open() -> Self {
        let home = Scratch::new();
        let url = format!("sqlite://{}/a.db", home.path().display());
        let store = Store::open(&Config { url, ..Config::default() }).await;
        Self { store: store.expect("the folder can be written"), _home: home }
    }

    async fn ask(&self, topic: &str) -> Uuid {
        let id = Uuid::now_v7();
        let new = NewTurn { id, topic, agent: "gpt" };
        self.store.open_turn(new, "7", "hello", None).await.expect("it is stored");
        id
    }

    /// Starts, and lists what is published in the topic `user:7`.
    async fn start(&self) -> Vec<TurnEvent> {
        let life = Life::new();
        let hub = Hub::new(Policies::default(), &Limits::default(), &life);
        let journal = StoreJournal::new(&hub, &life, self.store.clone());
        assert!(journal.settle(i64::MAX).await);
        let topic: Topic = "user:7".parse().expect("a topic");
        let history = hub.history(&topic, Since::Start, 10);
        let records = history.map(|history| history.records).unwrap_or_default();
        records.iter().filter_map(|record| TurnEvent::of(record)).collect()
    }
}

#[tokio::test]
async fn a_start_ends_what_was_open_with_its_text_and_tells_it_once() {
    let bed = Bed::open().await;
    let (cut, waited) = (bed.ask("user:7").await, bed.ask("user:8").await);
    let grown = Segment { turn: cut, start: 0, text: "Mia\u{f9}".to_owned() };
    bed.store.grow_turns(&[grown]).await.expect("it is stored");
    let told = bed.start().await;
    let expected = Failed {
        turn: cut,
        code: "interrupted".into(),
        title: "the gateway stopped".into(),
        text: "Mia\u{f9}".into(),
        ..Failed::default()
    };
    assert_eq!(told, [TurnEvent::Failed(expected)]);
    for (turn, text) in [(cut, "Mia\u{f9}"), (waited, "")] {
        let stored = bed.store.turn(turn).await.expect("it is read").expect("it is there");
        assert_eq!((stored.state, &*stored.text), (StoredState::Failed, text));
    }
    assert_eq!(bed.start().await, []);
}

#[tokio::test]
async fn a_start_tells_ends_that_no_reader_was_left_for() {
    let bed = Bed::open().await;
    let turn = bed.ask("user:7").await;
    let end = NewEnd { untold: true, ..NewEnd::completed("Miau") };
    bed.store.end_turn(turn, end).await.expect("it is stored").expect("it was open");
    let told = bed.start().await;
    assert!(
        matches!(&told[..], [TurnEvent::Completed(last)] if last.turn == turn && &*last.text == "Miau"),
        "{told:?}"
    );
    assert_eq!(bed.start().await, []);
}
