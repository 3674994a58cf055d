//! Storing a turn in the journal, and failing to.
use std::{
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream,
};
use quadrille_agents::{
    Ask, Begun, Code, Ended, Ending, Growth, HistoryEntry, Journal, KeptTurn, NotStored, Part,
    Phase, Refused, Ticket,
};
use quadrille_core::{Policy, Shares, Since, turn::TurnEvent};
use uuid::Uuid;

use crate::script::{Stage, ask, say, short, silent_after, topic};

/// Remembers its calls, and fails in those that it is told to.
#[derive(Default)]
struct Fake {
    calls: Mutex<Vec<String>>,
    grown: Mutex<Vec<String>>,
    fails: &'static str,
    /// Failures after which it fails no more.
    heals: Option<usize>,
}

impl Fake {
    fn call(&self, name: &str) -> Result<(), NotStored> {
        let mut calls = self.calls.lock().expect("no panic");
        calls.push(name.to_owned());
        let same = calls.iter().filter(|call| *call == name).count();
        let fails = self.fails == name && self.heals.is_none_or(|heals| same <= heals);
        if fails { Err(NotStored::Failed) } else { Ok(()) }
    }
}

impl Journal for Fake {
    fn begin<'a>(&'a self, _: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>> {
        future::ready(self.call("begin").map(|()| Begun::New)).boxed()
    }

    fn history<'a>(
        &'a self,
        _: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        self.call(&format!("history {window}")).ok();
        let stored = HistoryEntry { question: "q".to_owned(), reply: "r".to_owned() };
        future::ready(Some(vec![stored])).boxed()
    }

    fn end<'a>(
        &'a self,
        _: &'a Ticket,
        _: &'a Ending,
        _: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        future::ready(self.call("end").map(|()| Some(42))).boxed()
    }

    fn grow(&self, grown: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>> {
        let told = grown.iter().map(|growth| format!("{} {}", growth.start, growth.text));
        let stored = self.call("grow");
        if stored.is_ok() {
            self.grown.lock().expect("no panic").extend(told);
        }
        future::ready(stored).boxed()
    }

    fn find(&self, _: Uuid) -> BoxFuture<'_, Option<KeptTurn>> {
        future::ready(None).boxed()
    }
}

/// The end of a turn, its last record, and the calls of the journal.
async fn turn(fails: &'static str) -> (Ended, TurnEvent, Vec<String>) {
    let journal = Arc::new(Fake { fails, ..Fake::default() });
    let kept = Arc::clone(&journal);
    let stage = Stage::keeping(
        journal,
        &Shares::default(),
        Policy::default(),
        |_, _| {},
        |question| {
            let history = question
                .history
                .iter()
                .map(|exchange| format!("{}={}", exchange.question, exchange.reply));
            stream::iter([Ok(Part::End(Some(history.collect())))]).boxed()
        },
    );
    let ended =
        stage.desk.ask(ask("7", "hello")).await.expect("there is room").ended().await.clone();
    let last = stage.records(&topic(7)).pop().expect("a last record");
    let calls = kept.calls.lock().expect("no panic").clone();
    (ended, last, calls)
}

#[tokio::test]
async fn a_turn_is_stored_before_it_starts_and_before_its_end_is_told() {
    let (ended, last, calls) = turn("").await;
    assert_eq!((ended.ending, ended.message), (Ending::Completed("q=r".into()), Some(42)));
    assert!(matches!(last, TurnEvent::Completed(last) if last.message == Some(42)));
    assert_eq!(calls, ["begin", "history 3", "end"]);
}

#[tokio::test]
async fn a_turn_that_cannot_be_stored_fails() {
    for (fails, calls) in
        [("begin", vec!["begin", "end"]), ("end", vec!["begin", "history 3", "end"])]
    {
        let (ended, last, called) = turn(fails).await;
        assert!(
            matches!(ended.ending, Ending::Failed { code: Code::NotStored, .. }),
            "{fails}: {ended:?}"
        );
        assert!(matches!(last, TurnEvent::Failed(last) if last.code == "not_stored"), "{fails}");
        assert_eq!(called, calls);
    }
}

/// A stage that keeps its turns in `journal`, and whose agent says `so far` and no more.
fn silent_stage(journal: &Arc<Fake>) -> Stage {
    let journal = Arc::clone(journal);
    Stage::keeping(
        journal,
        &Shares::default(),
        Policy::default(),
        |_, _| {},
        |_| silent_after(vec![say("so "), say("far")]),
    )
}

#[tokio::test(start_paused = true)]
async fn what_replies_have_grown_by_is_stored_in_one_go_about_every_second() {
    let journal = Arc::new(Fake::default());
    let stage = silent_stage(&journal);
    for user in ["7", "8"] {
        stage.desk.ask(ask(user, "?")).await.expect("there is room");
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let grown = journal.grown.lock().expect("no panic").concat();
    assert_eq!(grown.replace("0 ", "").replace("3 ", ""), "so farso far");
    let writes = journal.calls.lock().expect("no panic").clone();
    let writes = writes.iter().filter(|call| *call == "grow").count();
    assert!((1..=2).contains(&writes), "{writes}");
}

#[tokio::test(start_paused = true)]
async fn text_that_could_not_be_stored_comes_again() {
    let journal = Arc::new(Fake { fails: "grow", ..Fake::default() });
    let stage = silent_stage(&journal);
    stage.desk.ask(ask("7", "?")).await.expect("there is room");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let calls = journal.calls.lock().expect("no panic").clone();
    assert!(calls.iter().filter(|call| *call == "grow").count() >= 9, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_could_not_be_stored_is_stored_later() {
    let journal = Arc::new(Fake { fails: "end", heals: Some(3), ..Fake::default() });
    let stage = silent_stage(&journal);
    let ticket = stage.desk.ask(ask("7", "?")).await.expect("there is room");
    stage.desk.cancel(&ticket);
    assert!(matches!(ticket.ended().await.ending, Ending::Cancelled(_)));
    let ends = || {
        let calls = journal.calls.lock().expect("no panic");
        calls.iter().filter(|call| *call == "end").count()
    };
    assert_eq!(ends(), 1);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(ends(), 4, "three failures, and then no more");
}

/// Knows one key, which is of an ended turn; tells whether ends have to be told again.
#[derive(Default)]
struct Book {
    known: Mutex<Option<KeptTurn>>,
    untold: Mutex<Vec<bool>>,
}

impl Journal for Book {
    fn begin<'a>(&'a self, _: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>> {
        let known = self.known.lock().expect("no panic").clone();
        future::ready(Ok(known.map_or(Begun::New, Begun::Known))).boxed()
    }

    fn history<'a>(&'a self, _: &'a Ticket, _: usize) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        future::ready(None).boxed()
    }

    fn grow(&self, _: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>> {
        future::ready(Ok(())).boxed()
    }

    fn end<'a>(
        &'a self,
        _: &'a Ticket,
        _: &'a Ending,
        untold: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        self.untold.lock().expect("no panic").push(untold);
        future::ready(Ok(None)).boxed()
    }

    fn find(&self, turn: Uuid) -> BoxFuture<'_, Option<KeptTurn>> {
        let known = self.known.lock().expect("no panic").clone();
        future::ready(known.filter(|known| known.id == turn)).boxed()
    }
}

fn book_stage(book: &Arc<Book>) -> Stage {
    let book = Arc::clone(book);
    Stage::keeping(
        book,
        &Shares::default(),
        Policy::default(),
        |_, _| {},
        |_| silent_after(vec![say("so far")]),
    )
}

fn kept(question: &str, ending: Option<Ending>) -> KeptTurn {
    KeptTurn {
        id: Uuid::now_v7(),
        topic: topic(7),
        user: "7".into(),
        question: question.into(),
        agent: "script".into(),
        text: "so far".to_owned(),
        ending,
        message: None,
        report: None,
    }
}

fn keyed(text: &str) -> Ask {
    Ask { key: Some("k".parse().expect("a key")), ..ask("7", text) }
}

#[tokio::test]
async fn a_key_in_the_store_gives_its_turn_and_asks_nobody() {
    let done = kept("hello", Some(Ending::Completed("done".into())));
    let book = Arc::new(Book { known: Mutex::new(Some(done.clone())), ..Book::default() });
    let stage = book_stage(&book);
    let joined = stage.desk.ask(keyed("hello")).await.expect("the same question");
    assert_eq!(
        (joined.id(), &joined.ended().await.ending),
        (done.id, &Ending::Completed("done".into()))
    );
    assert_eq!(stage.desk.ask(keyed("good-bye")).await.unwrap_err(), Refused::KeyReused);
    let found = stage.desk.look_up(done.id).await.expect("it is stored");
    assert_eq!((found.agent(), &*found.text()), ("script", "done"));
    // A turn of another process may go on, and is not asked a second time.
    let runs = kept("hello", None);
    *book.known.lock().expect("no panic") = Some(runs);
    assert_eq!(stage.desk.ask(keyed("hello")).await.unwrap_err(), Refused::DeskFull);
    assert_eq!(stage.script.calls.load(SeqCst), 0);
    // Nothing of it is left, and the topic is free.
    *book.known.lock().expect("no panic") = None;
    let own = stage.desk.ask(keyed("hello")).await.expect("the key is free");
    assert_eq!(own.phase(), Phase::Running);
    let short: Vec<_> = stage.records(&topic(7)).iter().map(short).collect();
    assert!(short.iter().all(|record| !record.starts_with("failed")), "{short:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_no_reader_is_left_for_is_told_by_the_next_start() {
    for is_watched in [false, true] {
        let book = Arc::new(Book::default());
        let stage = book_stage(&book);
        let mut inbox = stage.hub.inbox();
        if is_watched {
            inbox.subscribe(&topic(7), Since::Now, 0).expect("there is room");
        }
        stage.desk.ask(ask("7", "?")).await.expect("there is room");
        stage.desk.drain(Duration::from_secs(1)).await;
        assert_eq!(*book.untold.lock().expect("no panic"), [!is_watched]);
    }
}

#[tokio::test]
async fn one_key_of_a_user_is_one_in_all_topics() {
    let stage = book_stage(&Arc::new(Book::default()));
    let first = stage.desk.ask(keyed("hello")).await.expect("there is room");
    let again = stage.desk.ask(keyed("hello")).await.expect("the same question");
    assert_eq!(first.id(), again.id());
    let elsewhere = Ask { topic: topic(8), ..keyed("hello") };
    assert_eq!(stage.desk.ask(elsewhere).await.unwrap_err(), Refused::KeyReused);
    let other_user = Ask { user: "8".into(), topic: topic(8), ..keyed("hello") };
    assert!(stage.desk.ask(other_user).await.is_ok());
}
