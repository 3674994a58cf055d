//! A lease that is kept while files are on their way.
use std::time::Duration;

use quadrille_store as store;
use tokio::time::{MissedTickBehavior, interval};

/// Do `work`, and `renew` the lease of `run` meanwhile. What the renewals say is not looked at: whether
/// the lease still holds is seen by who comes after.
pub(crate) async fn kept_alive<T, R, S>(
    lease: Duration,
    run: &str,
    work: impl Future<Output = T>,
    renew: impl Fn() -> R,
) -> T
where
    R: Future<Output = Result<S, store::Error>>,
{
    let mut beat = interval(lease / 3);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let renewals = async {
        loop {
            beat.tick().await;
            if let Err(why) = renew().await {
                tracing::warn!(error = %why, run, "a lease was not renewed");
            }
        }
    };
    // The work goes on while a renewal waits: it may have what the renewal waits for, as there is one
    // connection that writes.
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
        // It ends only if the lease is renewed after the renewal that failed.
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
