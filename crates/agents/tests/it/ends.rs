//! How turns end that are not completed.
use std::{error::Error, sync::atomic::Ordering::SeqCst, time::Duration};

use futures_util::{StreamExt, stream};
use quadrille_agents::{Ask, Code, Ending, Failure, Given, Orphans, Part, Phase, Refused, Reply};
use quadrille_core::{BatchLimit, Policy, Since};

use crate::script::{Stage, ask, paced, say, short, silent_after, topic};

async fn ending(stage: &Stage) -> Ending {
    let ticket = stage.desk.ask(ask("7", "?")).await.expect("there is room");
    let ending = ticket.ended().await.ending.clone();
    assert_eq!(stage.script.open.load(SeqCst), 0, "the agent is let go");
    ending
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_turn_with_the_code_of_its_time_out() {
    let cases: [(Vec<_>, Code, &str, u64); 3] = [
        (vec![], Code::FirstTokenTimeout, "", 60),
        (vec![say("a")], Code::TokenTimeout, "a", 30),
        (vec![Ok(Part::Status("thinking".into()))], Code::TokenTimeout, "", 30),
    ];
    for (parts, code, text, seconds) in cases {
        let parts = std::sync::Mutex::new(Some(parts));
        let stage = Stage::new(move |_| silent_after(parts.lock().unwrap().take().unwrap()));
        let begin = tokio::time::Instant::now();
        assert_eq!(ending(&stage).await, Ending::Failed { code, text: text.into() });
        assert_eq!(begin.elapsed().as_secs(), seconds, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn readers_that_are_waited_for_are_not_the_silence_of_the_agent() {
    let stage = Stage::with(
        |_, agent| agent.token_timeout = Duration::from_millis(50),
        |_| {
            let notices = (0..5000).map(|n| Ok(Part::Status(n.to_string())));
            stream::iter(notices.chain([Ok(Part::End(Some("done".into())))])).boxed()
        },
    );
    // It reads a little, and then no more: publishers wait until they have lost their patience.
    let mut inbox = stage.hub.inbox();
    inbox.subscribe(&topic(7), Since::Now, 0).unwrap();
    let ticket = stage.desk.ask(ask("7", "?")).await.unwrap();
    inbox.recv(BatchLimit { records: 1, bytes: 1 }, &mut Vec::new()).await;
    assert_eq!(ticket.ended().await.ending, Ending::Completed("done".into()));
}

#[tokio::test(start_paused = true)]
async fn an_endless_reply_ends_by_time_or_by_length() {
    let stage =
        Stage::new(|_| paced((0..1000).map(|_| say("x")).collect(), Duration::from_secs(1)));
    let late = ending(&stage).await;
    assert!(matches!(late, Ending::Failed { code: Code::TotalTimeout, .. }), "{late:?}");
    assert!(late.text().len() > 100, "{late:?}");
    let endless = |_| stream::repeat_with(|| say("xxxxxxxxxx")).boxed();
    let stage = Stage::with(|_, agent| agent.max_reply = 1000, endless);
    let long = ending(&stage).await;
    assert_eq!(long, Ending::Failed { code: Code::TooLong, text: "x".repeat(1010).into() });
    let whole = |_| stream::iter([Ok(Part::End(Some("x".repeat(1001))))]).boxed();
    let stage = Stage::with(|_, agent| agent.max_reply = 1000, whole);
    assert_eq!(ending(&stage).await, Ending::failed(Code::TooLong));
}

#[tokio::test]
async fn a_failure_is_told_by_its_code_and_not_by_its_cause() {
    let stage = Stage::new(|_| {
        let cause: Box<dyn Error + Send + Sync> = "a secret of the upstream".into();
        stream::iter([say("Hel"), Err(Failure::new(Code::Upstream, cause))]).boxed()
    });
    assert_eq!(ending(&stage).await, Ending::Failed { code: Code::Upstream, text: "Hel".into() });
    let told: Vec<_> = stage.records(&topic(7)).iter().map(short).collect();
    assert_eq!(told, ["started ?", "delta 0 Hel", "failed upstream"]);
    let log = stage.hub.history(&topic(7), Since::Start, 10).unwrap();
    assert!(log.records.iter().all(|record| !record.payload.contains("secret")));
}

#[tokio::test]
async fn a_reply_without_an_end_and_an_agent_that_panics_are_failures() {
    let stage = Stage::new(|_| stream::iter([say("a")]).boxed());
    let broken_off = Ending::Failed { code: Code::BrokenOff, text: "a".into() };
    assert_eq!(ending(&stage).await, broken_off);
    let panics = |_| -> Reply { stream::once(async { panic!("on purpose") }).boxed() };
    let stage = Stage::new(panics);
    assert_eq!(ending(&stage).await, Ending::failed(Code::Internal));
    // And the topic goes on.
    assert_eq!(ending(&stage).await, Ending::failed(Code::Internal));
}

#[tokio::test]
async fn cancel_ends_a_turn_that_runs_and_one_that_waits() {
    let stage = Stage::new(|_| silent_after(vec![say("so far")]));
    let runs = stage.desk.ask(ask("7", "first")).await.unwrap();
    let waits = stage.desk.ask(ask("7", "second")).await.unwrap();
    while stage.records(&topic(7)).len() < 2 {
        tokio::task::yield_now().await;
    }
    stage.desk.cancel(&waits);
    assert_eq!(waits.ended().await.ending, Ending::Cancelled("".into()));
    stage.desk.cancel(&runs);
    assert_eq!(runs.ended().await.ending, Ending::Cancelled("so far".into()));
    // Again, and too late: nothing changes.
    stage.desk.cancel(&runs);
    stage.desk.cancel(&waits);
    let told: Vec<_> = stage.records(&topic(7)).iter().map(short).collect();
    assert_eq!(told, ["started first", "delta 0 so far", "cancelled ", "cancelled so far"]);
    assert_eq!(stage.script.calls.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn cancel_does_not_wait_for_slow_readers() {
    let patient = Policy { events: 8, patience: Duration::from_hours(1), ..Policy::default() };
    let say_on = |_| paced((0..1000).map(|_| say("x")).collect(), Duration::from_millis(30));
    let stage = Stage::on(patient, |_, _| {}, say_on);
    let mut reader = stage.hub.inbox();
    reader.subscribe(&topic(7), Since::Now, 0).unwrap();
    let ticket = stage.desk.ask(ask("7", "?")).await.unwrap();
    // Long enough for the desk to wait for the reader, and shorter than that would take.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = stage.hub.top(&topic(7));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.hub.top(&topic(7)), held, "the desk waits");
    stage.desk.cancel(&ticket);
    while stage.script.open.load(SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(ticket.phase(), Phase::Running), "only its last record still waits");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_waits_too_long_fails_without_being_asked() {
    let stage = Stage::with(
        |config, agent| {
            config.queue_timeout = Duration::from_secs(10);
            agent.token_timeout = Duration::from_mins(2);
        },
        |_| silent_after(vec![say("x")]),
    );
    stage.desk.ask(ask("7", "first")).await.unwrap();
    let waits = stage.desk.ask(ask("7", "second")).await.unwrap();
    assert_eq!(waits.ended().await.ending, Ending::failed(Code::QueueTimeout));
    assert_eq!(stage.script.calls.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waited_too_long_can_ask_again_with_the_same_key() {
    let stage = Stage::with(
        |config, _| config.queue_timeout = Duration::from_secs(10),
        |question| match &*question.text {
            "slow" => silent_after(vec![]),
            _ => stream::iter([Ok(Part::End(Some("done".into())))]).boxed(),
        },
    );
    let slow = stage.desk.ask(ask("7", "slow")).await.unwrap();
    let keyed = Ask { key: Some("k".parse().unwrap()), ..ask("7", "quick") };
    let late = stage.desk.ask(keyed.clone()).await.unwrap();
    assert_eq!(late.ended().await.ending, Ending::failed(Code::QueueTimeout));
    stage.desk.cancel(&slow);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let again = stage.desk.ask(keyed.clone()).await.unwrap();
    assert_eq!(again.ended().await.ending, Ending::Completed("done".into()));
    // The key is that of the second from then on, also when the first is forgotten.
    assert_eq!(stage.desk.find(late.id()).map(|ticket| ticket.id()), Some(late.id()));
    tokio::time::sleep(Duration::from_secs(570)).await;
    assert!(stage.desk.find(late.id()).is_none());
    assert_eq!(stage.desk.ask(keyed).await.unwrap().id(), again.id());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_watches_is_cancelled_if_that_is_wanted() {
    let orphans = |orphans| {
        Stage::with(
            move |config, agent| {
                config.orphans = orphans;
                config.orphan_grace = Duration::from_secs(5);
                agent.token_timeout = Duration::from_secs(20);
            },
            |_| silent_after(vec![say("x")]),
        )
    };
    let phase_after = async |stage: &Stage, watched: bool| {
        let ticket = stage.desk.ask(ask("7", "?")).await.unwrap();
        let mut inbox = stage.hub.inbox();
        if watched {
            inbox.subscribe(&topic(7), Since::Now, 0).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        ticket.phase()
    };
    let cancel = orphans(Orphans::Cancel);
    let left = phase_after(&cancel, false).await;
    assert!(matches!(left, Phase::Ended(ended) if ended.ending == Ending::Cancelled("x".into())));
    assert_eq!(phase_after(&cancel, true).await, Phase::Running);
    assert_eq!(phase_after(&orphans(Orphans::Finish), false).await, Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_running_turns_finish_and_then_interrupts() {
    let stage = Stage::new(|question| match &*question.text {
        "quick" => paced(vec![say("done"), Ok(Part::End(None))], Duration::from_secs(1)),
        _ => silent_after(vec![say("x")]),
    });
    let [quick, slow] = [("7", "quick"), ("8", "slow")]
        .map(|question| stage.desk.put(ask(question.0, question.1), Given::default()));
    let waits = stage.desk.ask(ask("7", "quick")).await.unwrap();
    stage.desk.drain(Duration::from_secs(5)).await;
    let ends = [&quick.unwrap(), &slow.unwrap(), &waits].map(|ticket| match ticket.phase() {
        Phase::Ended(ended) => ended.ending,
        other => panic!("{other:?}"),
    });
    let interrupted = |text: &str| Ending::Failed { code: Code::Interrupted, text: text.into() };
    assert_eq!(ends, [Ending::Completed("done".into()), interrupted("x"), interrupted("")]);
    assert_eq!(stage.desk.ask(ask("7", "?")).await.unwrap_err(), Refused::Draining);
    assert!(stage.life.stopped(Duration::from_secs(1)).await, "no task is left");
}

#[tokio::test]
async fn an_interruption_that_is_refused_or_known_cancels_nothing() {
    let stage = Stage::new(|_| silent_after(vec![say("so far")]));
    let runs = stage.desk.ask(ask("7", "first")).await.unwrap();
    let unknown = Ask { agent: Some("nobody".into()), ..ask("7", "second") };
    assert_eq!(stage.desk.interrupt(unknown).await.unwrap_err(), Refused::NoAgent);
    assert_eq!(runs.phase(), Phase::Running);
    let keyed = Ask { key: Some("k".parse().unwrap()), ..ask("7", "second") };
    let second = stage.desk.interrupt(keyed.clone()).await.unwrap();
    assert!(matches!(runs.ended().await.ending, Ending::Cancelled(_)));
    let third = stage.desk.ask(ask("7", "third")).await.unwrap();
    let same = stage.desk.interrupt(keyed.clone()).await.unwrap();
    assert_eq!((same.id(), second.phase()), (second.id(), Phase::Running));
    stage.desk.cancel(&second);
    second.ended().await;
    // Its key is still known, and another turn runs by now.
    assert_eq!(stage.desk.interrupt(keyed).await.unwrap().id(), second.id());
    assert_eq!(third.phase(), Phase::Running);
}
