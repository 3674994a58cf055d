//! Requests that are sent again begin no second run, and what a worker brought is known again.
use std::time::Duration;

use quadrille_store::{NewRun, NewStep, Run, RunError, RunKey, RunStatus, StepKind, StepStatus};
use tokio::task::JoinSet;

use crate::{
    bed::{Bed, each, with},
    workers::LONG,
};

fn key<'a>(user: &'a str, request: &'a str) -> RunKey<'a> {
    RunKey { user, key: "on\0ce", request }
}

impl Bed {
    async fn run_with(&self, chat: &str, id: &str, key: RunKey<'_>) -> Result<Run, RunError> {
        let step = NewStep {
            operation: "o".to_owned(),
            kind: StepKind::External,
            arguments: "{}".to_owned(),
        };
        let (steps, key) = (&[step][..], Some(key));
        let new = NewRun {
            id,
            chat,
            started_by: "runs",
            steps,
            input: None,
            max_waiting: 3,
            share: 3,
            key,
        };
        self.store.create_run(new).await
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_user_its_chat_and_what_was_asked_for() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.chat("b", None).await;
        let begin = |chat, id, key| bed.run_with(chat, id, key);
        assert_eq!(begin("a", "r1", key("ann", "x")).await.unwrap().id, "r1");
        assert_eq!(begin("a", "r2", key("ann", "x")).await.unwrap().id, "r1");
        assert!(matches!(begin("a", "r3", key("ann", "y")).await, Err(RunError::KeyReused)));
        assert_eq!(begin("a", "r4", key("bob", "y")).await.unwrap().id, "r4");
        assert_eq!(begin("b", "r5", key("ann", "y")).await.unwrap().id, "r5");
        // Also when there is no room for another one.
        assert!(matches!(begin("a", "r6", key("eve", "x")).await, Err(RunError::Full)));
        assert_eq!(begin("a", "r7", key("ann", "x")).await.unwrap().id, "r1");
        let known = |chat, key| bed.store.run_of_key(chat, key);
        assert_eq!(known("a", key("ann", "x")).await.unwrap().unwrap().id, "r1");
        assert_eq!(known("a", key("eve", "x")).await.unwrap(), None);
        assert!(matches!(known("a", key("ann", "z")).await, Err(RunError::KeyReused)));
        // With the chat its keys go.
        bed.store.delete_chat("a").await.unwrap();
        bed.chat("a", None).await;
        assert_eq!(begin("a", "r8", key("ann", "y")).await.unwrap().id, "r8");
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_with_one_key_one_begins_a_run() {
    each(async |bed| {
        bed.chat("a", None).await;
        let mut racing = JoinSet::new();
        for n in 0..16 {
            let store = bed.store.clone();
            racing.spawn(async move {
                let step = NewStep {
                    operation: "o".to_owned(),
                    kind: StepKind::External,
                    arguments: "{}".to_owned(),
                };
                let (id, steps, key) = (format!("r{n}"), &[step][..], Some(key("ann", "x")));
                let (chat, started_by) = ("a", "runs");
                let new = NewRun {
                    id: &id,
                    chat,
                    started_by,
                    steps,
                    input: None,
                    max_waiting: 100,
                    share: 100,
                    key,
                };
                store.create_run(new).await.unwrap().id
            });
        }
        let mut ids = racing.join_all().await;
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    })
    .await;
}

#[tokio::test]
async fn a_key_is_kept_as_long_as_keys_are_kept() {
    with(
        |config| config.keep_keys = Duration::from_mins(1),
        async |bed| {
            bed.chat("a", None).await;
            let begin = |id, request| bed.run_with("a", id, key("", request));
            assert_eq!(begin("r1", "x").await.unwrap().id, "r1");
            bed.execute("UPDATE run_keys SET created_at = created_at - 61000").await;
            assert_eq!(bed.store.run_of_key("a", key("", "x")).await.unwrap(), None);
            assert_eq!(begin("r2", "y").await.unwrap().id, "r2");
            let r2 = bed.store.run("r2").await.unwrap().unwrap();
            assert_eq!(bed.store.forget_keys(r2.created_at).await.unwrap(), 0);
            assert_eq!(bed.store.forget_keys(r2.created_at + 1).await.unwrap(), 1);
            assert_eq!(bed.store.run_of_key("a", key("", "y")).await.unwrap(), None);
        },
    )
    .await;
}

#[tokio::test]
async fn a_run_is_tried_again_once_for_each_key() {
    each(async |bed| {
        bed.chat("a", None).await;
        let run = bed.run_with("a", "r", key("ann", "x")).await.unwrap();
        bed.store.cancel_run("r").await.unwrap();
        let again = RunKey { key: "again", ..key("ann", "retry r") };
        let retried = bed.store.retry_run(&run, 2, 2, Some(again)).await.unwrap().unwrap();
        assert_eq!(retried.status, RunStatus::Pending);
        bed.store.cancel_run("r").await.unwrap();
        // It is as it stands, and is not begun once more.
        let known = bed.store.retry_run(&run, 2, 2, Some(again)).await.unwrap().unwrap();
        assert_eq!(known.status, RunStatus::Cancelled);
        let other = bed.store.retry_run(&run, 2, 2, Some(key("ann", "retry r"))).await;
        assert!(matches!(other, Err(RunError::KeyReused)), "{other:?}");
    })
    .await;
}

#[tokio::test]
async fn what_a_worker_brought_is_known_by_its_claim() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.run_with("a", "r", key("ann", "x")).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        assert!(bed.store.release_to_external(&claimed).await.unwrap());
        let held = bed.store.claim_step(None, "w", LONG, 2).await.unwrap().unwrap();
        let brought = |claim| bed.store.submitted_step(held.step.id, claim);
        assert_eq!(brought(held.claim).await.unwrap(), None);
        bed.store.finish_claimed(&held, ("{}", "digest"), None).await.unwrap().unwrap();
        let found = brought(held.claim).await.unwrap().unwrap();
        assert_eq!(found.digest.as_deref(), Some("digest"));
        assert_eq!((found.step.id, found.step.status), (held.step.id, StepStatus::Completed));
        assert_eq!(found.run.next, 1);
        assert_eq!(brought(held.step.id).await.unwrap(), None, "it is no claim");
    })
    .await;
}
