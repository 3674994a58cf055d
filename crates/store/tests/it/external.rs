//! Steps that are done elsewhere: who does one, and what of it is kept.
use std::time::Duration;

use quadrille_store::{CancelRun, NewChatFile, Place, RunError, RunStatus, StepKind, StepStatus};

use crate::{
    bed::each,
    workers::{LONG, TWO},
};

#[tokio::test]
async fn an_external_step_is_claimed_kept_and_finished_by_one() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", &[StepKind::External, StepKind::Internal]).await.unwrap();
        assert_eq!(bed.store.claim_step(None, "w", LONG, 2).await.unwrap(), None);
        let claimed = bed.claim().await.unwrap();
        assert!(bed.store.release_to_external(&claimed).await.unwrap());
        assert_eq!(bed.claim().await, None);
        // Runs behind it wait for it, and keep no others from their turn.
        for id in ["r2", "r3", "r4"] {
            bed.begin("a", id, TWO).await.unwrap();
        }
        assert!(matches!(bed.begin("a", "r5", TWO).await, Err(RunError::Full)));
        bed.chat("b", None).await;
        bed.begin("b", "s", TWO).await.unwrap();
        assert_eq!(bed.claim().await.unwrap().run.id, "s");
        assert_eq!(bed.store.claim_step(Some("other"), "w", LONG, 2).await.unwrap(), None);
        let lost = bed.store.claim_step(None, "v", Duration::ZERO, 2).await.unwrap().unwrap();
        let claim = e2e::patience::eventually("the lease is over", async || {
            bed.store.claim_step(Some("csv/search"), "w", LONG, 2).await.unwrap()
        });
        let claim = claim.await;
        assert_eq!(claim.step.worker.as_deref(), Some("w"));
        let renew = |claim| bed.store.renew_step(lost.step.id, claim, LONG, Some(40));
        assert_eq!(renew(lost.claim).await.unwrap(), None);
        assert_eq!(renew(claim.claim).await.unwrap().unwrap().step.progress, 40);
        // What was promised is not taken back.
        let short = bed.store.renew_step(lost.step.id, claim.claim, Duration::ZERO, None);
        assert!(short.await.unwrap().is_some());
        assert_eq!(bed.store.claim_step(None, "u", LONG, 9).await.unwrap(), None);
        assert_eq!(bed.store.finish_claimed(&lost, ("{}", "d"), None).await.unwrap(), None);
        let file = NewChatFile { place: Place::Intermediate, name: "x.csv", key: "k", size: 1 };
        let (run, file) =
            bed.store.finish_claimed(&claim, ("[1]", "d"), Some(file)).await.unwrap().unwrap();
        assert_eq!((run.next, run.next_kind), (1, StepKind::Internal));
        assert_eq!(bed.store.finish_claimed(&claim, ("{}", "d"), None).await.unwrap(), None);
        let (_, steps) = bed.all("r").await;
        assert_eq!((steps[0].output, steps[1].input), (file, file));
        assert_eq!(steps[0].result.as_deref(), Some("[1]"));
        let claimed = bed.claim().await.unwrap();
        bed.work(&claimed, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_to_be_cancelled_is_not_handed_out() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", &[StepKind::External]).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        let asked = bed.store.cancel_run("r").await.unwrap().unwrap();
        assert!(matches!(asked, CancelRun::Asked(_)));
        assert!(!bed.store.release_to_external(&claimed).await.unwrap());
        assert_eq!(bed.store.renew_run(&claimed, LONG, None).await.unwrap(), Some(true));
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_no_clock_can_have_given_is_over() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", &[StepKind::External]).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        bed.store.release_to_external(&claimed).await.unwrap();
        let hour = quadrille_store::Store::MAX_CLAIM;
        bed.store.claim_step(None, "v", hour, 2).await.unwrap().unwrap();
        assert_eq!(bed.store.claim_step(None, "w", LONG, 2).await.unwrap(), None);
        bed.execute("UPDATE run_steps SET lease_until = lease_until + 86400000").await;
        let next = bed.store.claim_step(None, "w", hour, 2).await.unwrap().unwrap();
        assert_eq!(bed.store.abandoned_step(2).await.unwrap(), None);
        bed.execute("UPDATE run_steps SET lease_until = lease_until + 86400000").await;
        let abandoned_step = bed.store.abandoned_step(2).await.unwrap();
        assert_eq!(abandoned_step, Some((next.claim, "r".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn an_external_step_that_nobody_finishes_is_given_up() {
    each(async |bed| {
        bed.chat("a", None).await;
        bed.begin("a", "r", &[StepKind::External, StepKind::Internal]).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        bed.store.release_to_external(&claimed).await.unwrap();
        let claim = bed.store.claim_step(None, "v", Duration::ZERO, 1).await.unwrap().unwrap();
        let abandoned_step = e2e::patience::eventually("nobody has it", async || {
            bed.store.abandoned_step(1).await.unwrap()
        });
        assert_eq!(abandoned_step.await, (claim.claim, "r".to_owned()));
        assert_eq!(bed.store.claim_step(None, "w", LONG, 1).await.unwrap(), None);
        let failed = bed.store.fail_claimed("r", claim.claim, "given up", "gone").await.unwrap();
        assert_eq!(failed.unwrap().status, RunStatus::Failed);
        let (run, steps) = bed.all("r").await;
        assert_eq!(run.error.as_deref(), Some("given up"));
        assert_eq!([steps[0].status, steps[1].status], [StepStatus::Failed, StepStatus::Skipped]);
        assert_eq!(steps[0].error.as_deref(), Some("gone"));
        assert_eq!(bed.store.abandoned_step(1).await.unwrap(), None);
    })
    .await;
}
