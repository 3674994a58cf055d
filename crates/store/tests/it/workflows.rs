//! Chats, their files and their runs: who does a run, who goes on with it, and what of it is kept.
use std::time::Duration;

use quadrille_store::{
    CancelRun, ChatFile, ChatStatus, FileError, MessageType, NewChat, NewChatFile, NewChatMessage,
    NewRun, NewStep, Place, RunError, RunScope, RunStatus, Start, Step, StepKind, StepStatus,
};
use tokio::task::JoinSet;

use crate::{
    bed::{ALL, each},
    workers::{LONG, TWO},
};

#[tokio::test]
async fn a_chat_with_as_many_files_as_an_archive_takes_gets_no_other() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.chat("b", None).await;
        bed.file("a", Place::Uploads, "in.csv", "in").await;
        let kinds = &[StepKind::Internal, StepKind::External];
        bed.begin("a", "r", kinds).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        assert!(bed.store.begin_step(&claimed, 0).await.unwrap());
        bed.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)
            INSERT INTO chat_files (chat_id, place, name, file_path, size, created_at)
            SELECT 'a', 'uploads', 'f' || i, 'k' || i, 1, 1 FROM n",
        )
        .await;
        // One more is the last.
        bed.file("a", Place::Uploads, "last.csv", "last").await;
        let file = NewChatFile { place: Place::Outputs, name: "a.csv", key: "over", size: 1 };
        let added = bed.store.add_chat_file("a", file).await;
        assert!(matches!(added, Err(FileError::TooMany)), "{added:?}");
        let (_, steps) = bed.all("r").await;
        let finished = bed.store.finish_step(&claimed, &steps[0], "{}", Some(file)).await;
        assert!(matches!(finished, Err(FileError::TooMany)), "{finished:?}");
        // What was refused has changed nothing: it can be finished without a file.
        bed.store.finish_step(&claimed, &steps[0], "{}", None).await.unwrap().unwrap();
        assert!(bed.store.release_to_external(&claimed).await.unwrap());
        let held = bed.store.claim_step(None, "w", LONG, 1).await.unwrap().unwrap();
        let brought = bed.store.finish_claimed(&held, ("{}", "d"), Some(file)).await;
        assert!(matches!(brought, Err(FileError::TooMany)), "{brought:?}");
        bed.store.finish_claimed(&held, ("{}", "d"), None).await.unwrap().unwrap();
        assert_eq!(bed.store.chat_files("a").await.unwrap().len(), ChatFile::MAX);
        assert!(bed.store.add_chat_file("b", file).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn one_owner_has_a_share_of_the_runs_that_wait() {
    each(async |bed| {
        for (chat, user) in [("a", Some("ann")), ("b", Some("ann")), ("c", Some("bob"))] {
            bed.chat(chat, user).await;
        }
        bed.begin("a", "1", TWO).await.unwrap();
        bed.begin("b", "2", TWO).await.unwrap();
        // In whatever chat.
        for chat in ["a", "b"] {
            let refused = bed.begin(chat, "3", TWO).await.unwrap_err();
            assert!(matches!(refused, RunError::Share), "{refused}");
        }
        bed.begin("c", "4", TWO).await.unwrap();
        let full = bed.begin("c", "5", TWO).await.unwrap_err();
        assert!(matches!(full, RunError::Full), "{full}");
        bed.store.cancel_run("1").await.unwrap();
        let run = bed.store.run("1").await.unwrap().unwrap();
        let refused = bed.store.retry_run(&run, 3, 1, None).await.unwrap_err();
        assert!(matches!(refused, RunError::Share), "{refused}");
        bed.store.retry_run(&run, 3, 2, None).await.unwrap().unwrap();
        // Chats of nobody have no share.
        bed.store.cancel_run("1").await.unwrap();
        bed.store.cancel_run("2").await.unwrap();
        bed.chat("d", None).await;
        bed.begin("d", "6", TWO).await.unwrap();
        bed.begin("d", "7", TWO).await.unwrap();
        let full = bed.begin("d", "8", TWO).await.unwrap_err();
        assert!(matches!(full, RunError::Full), "{full}");
    })
    .await;
}

#[tokio::test]
async fn runs_are_claimed_of_one_owner() {
    each(async |bed| {
        let owners = [("a", Some("ann")), ("b", Some("bob")), ("c", None)];
        for (chat, user) in owners {
            bed.chat(chat, user).await;
            bed.begin(chat, chat, TWO).await.unwrap();
        }
        let named = [Some("ann".to_owned()), Some("bob".to_owned()), None];
        assert_eq!(bed.store.owners_of_runs(10).await.unwrap(), named);
        assert_eq!(bed.store.owners_of_runs(2).await.unwrap(), named[..2]);
        for (chat, user) in owners.into_iter().rev() {
            let of = RunScope::Owner(user);
            let claimed = bed.store.claim_run(LONG, of).await.unwrap().unwrap();
            assert_eq!(claimed.run.id, chat);
            assert_eq!(
                bed.store.claim_run(LONG, of).await.unwrap().map(|claimed| claimed.run.id),
                None
            );
            // Its worker may go away.
            bed.store.release_run(&claimed).await.unwrap();
            assert!(bed.store.claim_run(LONG, of).await.unwrap().is_some());
        }
        assert_eq!(bed.claim().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_chat_is_kept_with_what_was_said_and_goes_with_its_files() {
    each(async |bed| {
        bed.chat("a", Some("ann")).await;
        bed.chat("b", None).await;
        let said = [
            NewChatMessage { kind: MessageType::User, content: "ex\0tract", metadata: "{}" },
            NewChatMessage { kind: MessageType::System, content: "what?", metadata: r#"{"n":1}"# },
        ];
        assert!(bed.store.add_chat_messages("a", Some(ChatStatus::Active), &said).await.unwrap());
        assert!(!bed.store.add_chat_messages("no", None, &said).await.unwrap());
        let kept = bed.store.chat_messages("a", 10).await.unwrap();
        let kept: Vec<_> =
            kept.iter().map(|message| (message.kind, message.content.as_str())).collect();
        assert_eq!(kept, [(MessageType::User, "ex\u{fffd}tract"), (MessageType::System, "what?")]);
        assert_eq!(bed.store.chat_messages("a", 1).await.unwrap()[0].content, "what?");
        bed.store.set_dialogue("a", r#"{"state":"idle"}"#).await.unwrap();
        let chat = bed.store.chat("a").await.unwrap().unwrap();
        assert_eq!((chat.status, chat.user_id.as_deref()), (ChatStatus::Active, Some("ann")));
        assert_eq!(chat.dialogue.as_deref(), Some(r#"{"state":"idle"}"#));
        let ids = async |user, status| {
            let all = bed.store.chats(user, status, ALL).await.unwrap();
            all.into_iter().map(|chat| chat.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some("ann"), None).await, ["a"]);
        assert_eq!(ids(None, Some(ChatStatus::Created)).await, ["b"]);
        assert_eq!(ids(None, None).await.len(), 2);
        // Once more, it has another participant and the same owner.
        bed.chat("a", Some("bob")).await;
        let mine = [Some("ann"), Some("bob"), None].map(|user| bed.put("a", user, false));
        assert_eq!(futures_util::future::join_all(mine).await, [true, false, false]);
        let again = bed.store.chat("a").await.unwrap().unwrap();
        assert_eq!((again.user_id, again.status), (Some("ann".to_owned()), ChatStatus::Active));

        let first = bed.file("a", Place::Uploads, "d.csv", "k1").await;
        let second = bed.file("a", Place::Uploads, "d.csv", "k2").await;
        assert_eq!([&*first.name, &*second.name], ["d.csv", "d_2.csv"]);
        assert_eq!(bed.store.chat_file("a", "d_2.csv").await.unwrap(), Some(second.clone()));
        assert_eq!(bed.store.chat_file("b", "d.csv").await.unwrap(), None);
        assert_eq!(bed.store.chat_files("a").await.unwrap(), [first, second]);
        bed.begin("a", "r", TWO).await.unwrap();
        let deleted = bed.store.delete_chat("a").await.unwrap().unwrap();
        assert_eq!(deleted.keys, ["k1", "k2"]);
        // It was in the middle of it.
        let [cancelled] = &deleted.cancelled[..] else { panic!("{deleted:?}") };
        assert_eq!((&*cancelled.id, cancelled.status), ("r", RunStatus::Cancelled));
        assert_eq!(bed.store.run("r").await.unwrap(), None);
        assert_eq!(bed.store.delete_chat("a").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn steps_feed_each_other_and_the_run_is_over_once() {
    each(async |bed| {
        bed.chat("a", None).await;
        let input = bed.file("a", Place::Uploads, "d.csv", "k1").await;
        let run = bed.begin("a", "r", &[StepKind::Internal; 3]).await.unwrap();
        assert_eq!((run.status, run.total, run.seq), (RunStatus::Pending, 3, 0));
        let claimed = bed.claim().await.unwrap();
        assert_eq!(claimed.start, Start::Fresh);
        assert_eq!(bed.claim().await, None);
        bed.work(&claimed, Some("k2")).await.unwrap();
        bed.work(&claimed, None).await.unwrap();
        let (_, steps) = bed.all("r").await;
        let output = steps[0].output.unwrap();
        assert_eq!(steps[0].input, Some(input.id));
        assert_eq!([steps[1].input, steps[1].output], [Some(output), None]);
        assert_eq!(steps[2].input, Some(output));
        let renewed = bed.store.renew_run(&claimed, LONG, None).await.unwrap();
        assert_eq!(renewed, Some(false));
        bed.work(&claimed, Some("k3")).await.unwrap();
        let end = bed.store.end_run(&claimed, RunStatus::Completed, None, None).await.unwrap();
        assert_eq!(end.unwrap().seq, 5);
        assert_eq!(bed.store.end_run(&claimed, RunStatus::Failed, None, None).await.unwrap(), None);
        let (run, steps) = bed.all("r").await;
        assert_eq!((run.status, run.next), (RunStatus::Completed, 3));
        assert!(
            steps.iter().all(|step| step.status == StepStatus::Completed && step.progress == 100)
        );
        let chat = bed.store.chat("a").await.unwrap().unwrap();
        assert_eq!(chat.status, ChatStatus::Completed);
        let steps: Vec<_> = steps.into_iter().map(|step| Step { result: None, ..step }).collect();
        assert_eq!(bed.store.steps_of_chat("a", 10).await.unwrap(), steps);
    })
    .await;
}

#[tokio::test]
async fn a_run_is_done_by_one_worker_and_runs_of_a_chat_one_after_the_other() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.chat("b", None).await;
        for (chat, id) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
            bed.begin(chat, id, TWO).await.unwrap();
        }
        assert!(matches!(bed.begin("b", "b2", TWO).await, Err(RunError::Full)));
        assert!(matches!(bed.begin("no", "x", TWO).await, Err(RunError::NoChat)));
        let mut racing = JoinSet::new();
        for _ in 0..8 {
            let store = bed.store.clone();
            racing.spawn(async move { store.claim_run(LONG, RunScope::Anyone).await.unwrap() });
        }
        let mut claimed: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
        // A worker that lost a race looks again.
        claimed.extend(bed.claim().await);
        let mut ids: Vec<_> = claimed.iter().map(|claimed| claimed.run.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a1", "b1"]);
        let first = claimed.iter().find(|claimed| claimed.run.id == "a1").unwrap();
        let err = Some("no");
        bed.store.end_run(first, RunStatus::Failed, err, Some((0, "bad"))).await.unwrap().unwrap();
        let (run, steps) = bed.all("a1").await;
        assert_eq!((run.status, run.error.as_deref()), (RunStatus::Failed, err));
        let statuses = [steps[0].status, steps[1].status];
        assert_eq!(statuses, [StepStatus::Failed, StepStatus::Skipped]);
        assert_eq!(bed.claim().await.unwrap().run.id, "a2");
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_worker_left_is_gone_on_with_and_the_dead_one_has_no_say() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", TWO).await.unwrap();
        let dead = bed.store.claim_run(Duration::ZERO, RunScope::Anyone).await.unwrap().unwrap();
        bed.work(&dead, None).await.unwrap();
        let next = e2e::patience::eventually("the lease is over", async || bed.claim().await).await;
        assert_eq!(next.start, Start::Resumed);
        assert_eq!((next.run.next, next.run.attempts), (1, 1));
        assert_eq!(bed.store.renew_run(&dead, LONG, Some((1, 50))).await.unwrap(), None);
        assert!(!bed.store.begin_step(&dead, 1).await.unwrap());
        let (_, steps) = bed.all("r").await;
        assert_eq!(bed.store.finish_step(&dead, &steps[1], "{}", None).await.unwrap(), None);
        bed.work(&next, None).await.unwrap();
        // Given back, it has been tried no more often.
        bed.store.release_run(&next).await.unwrap();
        let again = e2e::patience::eventually("it is free", async || bed.claim().await).await;
        assert_eq!((again.run.attempts, again.start), (1, Start::Resumed));
        let end = bed.store.end_run(&again, RunStatus::Completed, None, None).await.unwrap();
        assert_eq!(end.unwrap().status, RunStatus::Completed);
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_no_clock_can_have_given_is_over() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", TWO).await.unwrap();
        let before = bed.claim().await.unwrap();
        assert!(bed.claim().await.is_none());
        // The clock of another node may be a little ahead.
        bed.execute("UPDATE runs SET lease_until = lease_until + 30000").await;
        assert!(bed.claim().await.is_none());
        bed.execute("UPDATE runs SET lease_until = lease_until + 86400000").await;
        let next = bed.claim().await.unwrap();
        assert_eq!((next.start, &next.run.id), (Start::Resumed, &before.run.id));
        assert_eq!(bed.store.renew_run(&before, LONG, None).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once_or_by_who_does_it_and_may_be_tried_again() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", TWO).await.unwrap();
        let cancelled = bed.store.cancel_run("r").await.unwrap().unwrap();
        assert!(matches!(cancelled, CancelRun::Ended(_)), "{cancelled:?}");
        assert_eq!(bed.claim().await, None);
        assert_eq!(bed.store.cancel_run("no").await.unwrap(), None);
        let retried = bed.retry("r").await.unwrap().unwrap();
        assert_eq!((retried.status, retried.seq), (RunStatus::Pending, 2));
        assert_eq!(bed.retry("r").await.unwrap(), None);
        let claimed = bed.claim().await.unwrap();
        bed.work(&claimed, None).await.unwrap();
        let asked = bed.store.cancel_run("r").await.unwrap().unwrap();
        assert!(matches!(asked, CancelRun::Asked(_)), "{asked:?}");
        assert_eq!(bed.store.renew_run(&claimed, LONG, None).await.unwrap(), Some(true));
        bed.store.end_run(&claimed, RunStatus::Cancelled, None, None).await.unwrap().unwrap();
        let over = bed.store.cancel_run("r").await.unwrap().unwrap();
        assert!(matches!(over, CancelRun::Over(_)), "{over:?}");
        // What is completed stays so.
        bed.retry("r").await.unwrap().unwrap();
        let (run, steps) = bed.all("r").await;
        assert_eq!((run.next, steps[0].status), (1, StepStatus::Completed));
        assert_eq!(steps[1].status, StepStatus::Pending);
    })
    .await;
}

#[tokio::test]
async fn lists_of_chats_messages_and_steps_have_a_bound_in_bytes() {
    each(async |bed| {
        let large = serde_json::json!({ "note": "x".repeat(300_000) }).to_string();
        for n in 0..10 {
            let id = format!("c{n}");
            let new = NewChat {
                id: &id,
                user: Some("ann"),
                participant: "Otter-1234",
                status: ChatStatus::Created,
                partition: "2026/11",
                metadata: &large,
                any_owner: true,
            };
            bed.store.put_chat(new).await.unwrap();
            let said = NewChatMessage {
                kind: MessageType::User,
                content: &n.to_string(),
                metadata: &large,
            };
            assert!(bed.store.add_chat_messages("c0", None, &[said]).await.unwrap());
        }
        let chats = bed.store.chats(Some("ann"), None, ALL).await.unwrap();
        assert_eq!(chats.len(), 6);
        let said = bed.store.chat_messages("c0", 1000).await.unwrap();
        let said: Vec<_> = said.iter().map(|message| &*message.content).collect();
        assert_eq!(said, ["4", "5", "6", "7", "8", "9"]);
        let step = NewStep {
            operation: "csv/search".to_owned(),
            kind: StepKind::Internal,
            arguments: large.clone(),
        };
        let steps = vec![step; 10];
        let new = NewRun {
            id: "r",
            chat: "c0",
            started_by: "execute",
            steps: &steps,
            input: None,
            max_waiting: 3,
            share: 3,
            key: None,
        };
        bed.store.create_run(new).await.unwrap();
        assert_eq!(bed.store.steps_of_chat("c0", 1000).await.unwrap().len(), 6);
        assert_eq!(bed.store.steps("r").await.unwrap().len(), 10);
    })
    .await;
}
