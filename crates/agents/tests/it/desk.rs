//! The desk: queueing, refusing, keeping and forgetting turns.
use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use quadrille_agents::{Ask, Ended, Ending, Given, Part, Phase, Refused, Ticket, ToolUse};
use quadrille_core::{Holder, Limits, Policy, Shares, Since, turn::TurnEvent};

use crate::script::{Stage, ask, paced, say, short, silent_after, topic};

#[tokio::test(start_paused = true)]
async fn a_reply_is_in_the_log_merged_and_in_order() {
    let stage = Stage::new(|_| {
        let tool = Part::Tool(ToolUse {
            name: "search".into(),
            text: "grün".into(),
            ..ToolUse::default()
        });
        let parts = [say("Grü"), say("ß"), say(" Gott"), Ok(tool), say("!"), Ok(Part::End(None))];
        stream::iter(parts).boxed()
    });
    let ticket = stage.desk.ask(ask("7", "hello")).await.unwrap();
    let ended = ticket.ended().await.clone();
    let records = stage.records(&topic(7));
    let told: Vec<_> = records.iter().map(short).collect();
    let expected = [
        "started hello",
        "delta 0 Grü",
        "delta 3 ß Gott",
        "tool search grün",
        "delta 9 !",
        "completed Grüß Gott!",
    ];
    assert_eq!(told, expected);
    let last = stage.hub.top(&topic(7));
    assert_eq!(
        ended,
        Ended { ending: Ending::Completed("Grüß Gott!".into()), at: last, message: None }
    );
    assert!(records.iter().all(|record| record.turn() == ticket.id()));
    assert_eq!(ticket.since().offset, 0);
}

#[tokio::test(start_paused = true)]
async fn deltas_come_at_most_every_20_ms_or_64_tokens() {
    let stage = Stage::new(|_| {
        let slow = (0..10).map(|_| say("s ")).collect();
        let fast = (0..200).map(|_| say("f ")).chain([Ok(Part::End(None))]);
        paced(slow, Duration::from_millis(8)).chain(stream::iter(fast)).boxed()
    });
    let ticket = stage.desk.ask(ask("7", "hello")).await.unwrap();
    let Ending::Completed(text) = ticket.ended().await.ending.clone() else { panic!("no reply") };
    let deltas = stage.records(&topic(7)).into_iter().filter_map(|record| match record {
        TurnEvent::Delta(delta) => Some(delta.text),
        _ => None,
    });
    let deltas: Vec<_> = deltas.collect();
    assert_eq!(deltas.concat(), *text);
    let sizes: Vec<_> = deltas.iter().map(|delta| delta.len() / 2).collect();
    // The first at once; then two or three tokens in 20 ms; then as many as a delta holds.
    let (slow, fast) = sizes.split_at(sizes.iter().position(|size| *size == 64).unwrap());
    assert_eq!(slow[0], 1, "{sizes:?}");
    assert!(slow.len() > 3 && slow[1..].iter().all(|size| (2..=3).contains(size)), "{sizes:?}");
    assert!(fast.len() > 3 && fast[..fast.len() - 1].iter().all(|size| *size == 64), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_runs_one_turn_at_a_time_in_order() {
    let stage = Stage::new(|question| {
        let parts = vec![say(&question.text), Ok(Part::End(None))];
        paced(parts, Duration::from_millis(100))
    });
    let asked: Vec<_> = (0..20)
        .map(|n| stage.desk.put(ask("7", &n.to_string()), Given::default()).unwrap())
        .collect();
    assert_eq!((asked[0].phase(), asked[1].phase()), (Phase::Running, Phase::Waiting));
    join_all(asked.iter().map(Ticket::ended)).await;
    let told: Vec<_> = stage.records(&topic(7)).iter().map(short).collect();
    let expected: Vec<_> = (0..20)
        .flat_map(|n| [format!("started {n}"), format!("delta 0 {n}"), format!("completed {n}")])
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn equal_keys_ask_once_and_another_question_with_the_key_is_refused() {
    let stage = Stage::new(|_| stream::iter([say("one"), Ok(Part::End(None))]).boxed());
    let keyed = |text: &str| Ask { key: Some("k".parse().unwrap()), ..ask("7", text) };
    let tickets: Vec<_> =
        (0..50).map(|_| stage.desk.put(keyed("hello"), Given::default()).unwrap()).collect();
    let ends = join_all(tickets.iter().map(Ticket::ended)).await;
    assert!(ends.iter().all(|ended| *ended == ends[0]), "{ends:?}");
    assert_eq!(stage.script.calls.load(SeqCst), 1);
    // Also when the turn has ended; and the key of somebody else is another key.
    assert_eq!(stage.desk.ask(keyed("hello")).await.unwrap().id(), tickets[0].id());
    assert_eq!(stage.desk.ask(keyed("bye")).await.unwrap_err(), Refused::KeyReused);
    let other = Ask { user: "8".into(), ..keyed("bye") };
    assert_ne!(stage.desk.ask(other).await.unwrap().id(), tickets[0].id());
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused() {
    let all = Shares::new(&Limits { user_share: 1.0, ..Limits::default() });
    let stage = Stage::shared(
        &all,
        Policy::default(),
        |config, _| {
            config.max_running = 2;
            config.max_queued = 3;
            config.max_waiting = 4;
        },
        |_| silent_after(vec![]),
    );
    let desk = &stage.desk;
    let mut tell =
        |user: &str| desk.put(ask(user, "?"), Given::default()).map(|ticket| ticket.phase());
    let (runs, waits) = (Ok(Phase::Running), Ok(Phase::Waiting));
    let told = ["a", "a", "a", "a", "a", "b", "c", "d"].map(&mut tell);
    let expected = [
        runs.clone(),
        waits.clone(),
        waits.clone(),
        waits.clone(),
        Err(Refused::TopicFull),
        runs,
        waits,
        Err(Refused::DeskFull),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        desk.ask(Ask { agent: Some("who".into()), ..ask("e", "?") }).await.unwrap_err(),
        Refused::NoAgent
    );
}

#[tokio::test]
async fn one_user_leaves_room_for_the_questions_of_others() {
    let stage = Stage::with(
        |config, _| (config.max_running, config.max_waiting) = (4, 8),
        |_| silent_after(vec![]),
    );
    let desk = &stage.desk;
    // One of four runs, and two of eight wait; more is refused, whatever it is about.
    let told: Vec<_> = (0..5)
        .map(|n| {
            desk.put(Ask { topic: topic(n), ..ask("ann", "?") }, Given::default())
                .map(|ticket| ticket.phase())
        })
        .collect();
    let (runs, waits, refused) = (Ok(Phase::Running), Ok(Phase::Waiting), Err(Refused::Share));
    assert_eq!(told, [runs.clone(), waits.clone(), waits, refused.clone(), refused]);
    assert_eq!(desk.ask(ask("bob", "?")).await.map(|ticket| ticket.phase()), runs);
    // Where nobody signs in, an address has no share unless the operator gives it one.
    for n in 0..8 {
        let guest = Holder::guest([192, 0, 2, 1].into());
        desk.ask(Ask { holder: guest, ..ask(&n.to_string(), "?") }).await.ok();
    }
    assert_eq!(desk.ask(ask("eve", "?")).await.unwrap_err(), Refused::DeskFull);
}

#[tokio::test]
async fn one_user_leaves_bytes_for_the_questions_of_others() {
    let stage = Stage::new(|_| silent_after(vec![]));
    let desk = &stage.desk;
    let long = "x".repeat(9 << 20);
    let ask_in = |n: usize, user: &str| {
        desk.put(Ask { topic: topic(n), ..ask(user, &long) }, Given::default())
    };
    // A quarter of 256 MiB.
    let taken = (0..100).take_while(|n| ask_in(*n, "ann").is_ok()).count();
    assert_eq!(taken, 7);
    assert_eq!(ask_in(100, "ann").unwrap_err(), Refused::Share);
    let ticket = ask_in(100, "bob").unwrap();
    desk.ask(ask("ann", "a short one still fits")).await.unwrap();
    // What ends gives its bytes back.
    desk.cancel(&desk.current(&topic(0)).unwrap());
    desk.cancel(&ticket);
    ticket.ended().await;
    e2e::eventually("bytes that were given back", async || ask_in(200, "ann").ok()).await;
}

#[tokio::test]
async fn the_current_turn_of_a_topic_is_the_one_that_runs_or_else_waits_longest() {
    let stage = Stage::with(|config, _| config.max_running = 1, |_| silent_after(vec![]));
    let desk = &stage.desk;
    let current = |name: &str| desk.current(&topic(name)).map(|ticket| ticket.id());
    assert_eq!(current("a"), None);
    let [a, b, c] = ["a", "b", "b"].map(|user| desk.put(ask(user, "?"), Given::default()).unwrap());
    assert_eq!((current("a"), current("b")), (Some(a.id()), Some(b.id())));
    desk.cancel(&b);
    b.ended().await;
    assert_eq!(current("b"), Some(c.id()));
    let d = desk.ask(ask("b", "?")).await.unwrap();
    desk.cancel(&a);
    a.ended().await;
    assert_eq!((c.phase(), current("b")), (Phase::Running, Some(c.id())));
    desk.clear(&topic("b")).await;
    assert_eq!(
        (d.ended().await.ending.clone(), current("b")),
        (Ending::Cancelled("".into()), None)
    );
}

#[tokio::test]
async fn who_is_refused_or_joins_needs_no_log() {
    let stage = Stage::with(
        |config, _| (config.max_running, config.max_waiting) = (1, 0),
        |question| match &*question.text {
            "quick" => stream::iter([Ok(Part::End(Some("done".into())))]).boxed(),
            _ => silent_after(vec![]),
        },
    );
    let keyed = Ask { key: Some("k".parse().unwrap()), ..ask("7", "quick") };
    let ticket = stage.desk.ask(keyed.clone()).await.unwrap();
    ticket.ended().await;
    stage.desk.ask(ask("8", "slow")).await.unwrap();
    assert_eq!(stage.desk.ask(ask("9", "?")).await.unwrap_err(), Refused::DeskFull);
    assert_eq!(stage.hub.top(&topic(9)), None);
    // No log may be made any more, and that of 7 has made room for another.
    stage.hub.reload(&Limits { topics: 1, ..Limits::default() });
    let mut inbox = stage.hub.inbox();
    inbox.subscribe(&topic(8), Since::Now, 0).unwrap();
    assert!(inbox.subscribe(&topic(9), Since::Now, 0).is_err());
    assert_eq!(stage.hub.top(&topic(7)), None);
    assert_eq!(stage.desk.ask(keyed).await.unwrap().id(), ticket.id());
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_forgotten_some_time_after_its_end() {
    let stage = Stage::with(
        |config, _| config.keep = Duration::from_mins(1),
        |_| stream::iter([Ok(Part::End(Some("done".into())))]).boxed(),
    );
    let keyed = Ask { key: Some("k".parse().unwrap()), ..ask("7", "hello") };
    let ticket = stage.desk.ask(keyed.clone()).await.unwrap();
    ticket.ended().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(stage.desk.find(ticket.id()).is_some());
    tokio::time::sleep(Duration::from_secs(32)).await;
    assert!(stage.desk.find(ticket.id()).is_none());
    assert_ne!(stage.desk.ask(keyed).await.unwrap().id(), ticket.id());
}

#[tokio::test]
async fn turns_that_ended_are_kept_within_their_bytes() {
    let stage = Stage::with(
        |config, _| config.kept_bytes = 100_000,
        |_| stream::iter([Ok(Part::End(Some("x".repeat(10_000))))]).boxed(),
    );
    let mut tickets = Vec::new();
    for number in 0..20 {
        let ticket = stage.desk.ask(ask(&number.to_string(), "?")).await.unwrap();
        ticket.ended().await;
        tickets.push(ticket);
    }
    let kept = tickets.iter().filter(|ticket| stage.desk.find(ticket.id()).is_some()).count();
    assert!((7..=9).contains(&kept), "{kept}");
    assert!(stage.desk.find(tickets[19].id()).is_some());
}

#[tokio::test]
async fn earlier_turns_of_the_topic_come_along() {
    let stage = Stage::new(|question| {
        let before: Vec<_> = question
            .history
            .iter()
            .map(|exchange| format!("{}={}", exchange.question, exchange.reply))
            .collect();
        stream::iter([Ok(Part::End(Some(format!("[{}]", before.join(" ")))))]).boxed()
    });
    let mut replies = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        let ticket = stage.desk.ask(ask("7", text)).await.unwrap();
        let Ending::Completed(reply) = &ticket.ended().await.ending else { panic!("no reply") };
        replies.push(reply.to_string());
    }
    assert_eq!(replies[..3], ["[]", "[a=[]]", "[a=[] b=[a=[]]]"]);
    assert_eq!(replies[4].matches('=').count(), replies[1..4].concat().matches('=').count() + 3);
}
