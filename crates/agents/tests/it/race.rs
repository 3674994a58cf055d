//! Ends that race each other.
use futures_util::{StreamExt, future::join_all, stream};
use quadrille_agents::{Ending, Part};
use quadrille_core::turn::TurnEvent;

use crate::script::{Stage, ask, say, topic};

/// How often cancel races completion.
const RACES: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_racing_completion_leaves_one_last_record() {
    let stage = Stage::new(|_| {
        let yields = |part| async {
            tokio::task::yield_now().await;
            part
        };
        stream::iter([say("a"), say("b"), Ok(Part::End(None))]).then(yields).boxed()
    });
    let (mut completed, mut cancelled) = (0, 0);
    for round in 0..RACES {
        let name = format!("{}", round % 100);
        let ticket = stage.desk.ask(ask(&name, "?")).await.unwrap();
        let (desk, other) = (stage.desk.clone(), ticket.clone());
        let cancel = tokio::task::spawn_blocking(move || {
            for _ in 0..round % 200 {
                std::hint::spin_loop();
            }
            desk.cancel(&other);
        });
        let ended = ticket.ended().await.clone();
        cancel.await.unwrap();
        let records = stage.records(&topic(&name));
        let of_turn: Vec<_> =
            records.iter().filter(|record| record.turn() == ticket.id()).collect();
        let last: Vec<_> = of_turn.iter().filter(|record| record.is_last()).collect();
        assert_eq!(last.len(), 1, "{of_turn:?}");
        assert!(of_turn.last().is_some_and(|record| record.is_last()), "{of_turn:?}");
        match (&ended.ending, last[0]) {
            (Ending::Completed(text), TurnEvent::Completed(last)) => {
                assert_eq!((&**text, &*last.text), ("ab", "ab"));
                completed += 1;
            }
            (Ending::Cancelled(text), TurnEvent::Cancelled(last)) => {
                assert_eq!(text, &last.text);
                cancelled += 1;
            }
            other => panic!("the end that is told is not the one in the log: {other:?}"),
        }
    }
    // It is no race if always the same wins.
    assert!(completed > 0 && cancelled > 0, "{completed} completed, {cancelled} cancelled");
    assert_eq!(completed + cancelled, RACES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_users_who_ask_at_once_get_their_own_replies() {
    let stage = Stage::new(|question| {
        let reply = format!("{} said {}", question.user, question.text);
        stream::iter([say(&reply), Ok(Part::End(None))]).boxed()
    });
    let asks = (0..2000).map(|n| {
        let (user, text) = (format!("{}", n % 1000), format!("{n}"));
        let desk = stage.desk.clone();
        async move {
            let ticket = desk.ask(ask(&user, &text)).await.unwrap();
            let expected = Ending::Completed(format!("{user} said {text}").into());
            assert_eq!(ticket.ended().await.ending, expected);
        }
    });
    join_all(asks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_the_reply_can_ask_at_once_where_nobody_may_wait() {
    let stage = Stage::with(
        |config, _| (config.max_queued, config.max_running) = (0, 1),
        |_| stream::iter([say("a"), Ok(Part::End(None))]).boxed(),
    );
    for round in 0..RACES / 20 {
        let asked = stage.desk.ask(ask("7", "?")).await;
        let ticket = asked.unwrap_or_else(|why| panic!("question {round}: {why}"));
        ticket.ended().await;
    }
}
