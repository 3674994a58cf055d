//! Storing a turn in the journal, and failing to.
use std::sync::{Arc, Mutex};

use futures_util::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream,
};
use quadrille_agents::{Code, Ended, Ending, HistoryEntry, Journal, NotStored, Part, Ticket};
use quadrille_core::{Policy, Shares, turn::TurnEvent};

use crate::script::{Stage, ask, topic};

/// Remembers its calls, and fails in those that it is told to.
#[derive(Default)]
struct Fake {
    calls: Mutex<Vec<String>>,
    fails: &'static str,
}

impl Fake {
    fn call(&self, name: &str) -> Result<(), NotStored> {
        self.calls.lock().expect("no panic").push(name.to_owned());
        if self.fails == name { Err(NotStored) } else { Ok(()) }
    }
}

impl Journal for Fake {
    fn begin<'a>(&'a self, _: &'a Ticket) -> BoxFuture<'a, Result<(), NotStored>> {
        future::ready(self.call("begin")).boxed()
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
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        future::ready(self.call("end").map(|()| Some(42))).boxed()
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
    let ended = stage.desk.ask(ask("7", "hello")).expect("there is room").ended().await.clone();
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
        assert_eq!(ended.ending, Ending::Failed(Code::NotStored), "{fails}");
        assert!(matches!(last, TurnEvent::Failed(last) if last.code == "not_stored"), "{fails}");
        assert_eq!(called, calls);
    }
}
