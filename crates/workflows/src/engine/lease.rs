//! Keeps a lease while files are transferred.
use std::time::Duration;

use quadrille_store as store;
use tokio::time::{MissedTickBehavior, interval};

/// Does `work`, and calls `renew` for the lease of `run` meanwhile. The caller checks afterwards
/// whether the lease still holds.
pub(crate) async fn kept_alive<T, R, S>(
    lease: Duration,
    run: &str,
    work: impl Future<Output = T>,
    renew: impl Fn() -> R,
) -> T
where
    R: Future<Output = Result<S, store::Error>>,
{
    let mut renewal = interval(lease / 3);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let renewals = async {
        loop {
            renewal.tick().await;
            if let Err(err) = renew().await {
                tracing::warn!(error = %err, run, "a lease was not renewed");
            }
        }
    };
    // Polls both: the work may hold the only connection that writes, which the renewal waits for.
    tokio::select! {
        done = work => done,
        never = renewals => never,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use tokio::sync::{Mutex, Notify};

    use super::*;

    #[tokio::test]
    async fn a_lease_is_renewed_as_long_as_the_work_lasts_and_whatever_is_answered() {
        let renewals = AtomicU32::new(0);
        let renew = || {
            let count = renewals.fetch_add(1, Relaxed);
            std::future::ready(if count == 1 { Err(store::Error::Full) } else { Ok(()) })
        };
        // Ends only if the lease is renewed after the renewal that failed.
        let work = async {
            while renewals.load(Relaxed) < 4 {
                tokio::task::yield_now().await;
            }
        };
        kept_alive(Duration::from_millis(3), "run", work, renew).await;
    }

    #[tokio::test]
    async fn work_that_has_what_a_renewal_waits_for_goes_on() {
        let (writer, waits) = (Mutex::new(()), Notify::new());
        let renew = || async {
            waits.notify_one();
            drop(writer.lock().await);
            Ok::<_, store::Error>(())
        };
        let work = async {
            let held = writer.lock().await;
            waits.notified().await;
            drop(held);
        };
        kept_alive(Duration::from_millis(3), "run", work, renew).await;
    }
}
