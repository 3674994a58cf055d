//! How long a test waits for something that must happen.
//!
//! Patience only bounds a failing test. A passing one goes on as soon as the condition holds, so a
//! slow machine needs a larger `QUADRILLE_TEST_PATIENCE` (seconds), and nothing else.
use std::{env, time::Duration};

use tokio::time::{Instant, sleep, timeout};

const DEFAULT_SECONDS: u64 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

pub fn patience() -> Duration {
    let given = env::var_os("QUADRILLE_TEST_PATIENCE");
    let seconds = given.and_then(|s| s.to_str()?.parse().ok()).unwrap_or(DEFAULT_SECONDS);
    Duration::from_secs(seconds)
}

/// Awaits `future`. Panics with `what` if it takes too long.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let Ok(output) = timeout(patience(), future).await else {
        panic!("waited {:?} in vain for {what}", patience());
    };
    output
}

/// Looks again and again until `look` finds something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + patience();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "waited {:?} in vain for {what}", patience());
        sleep(BETWEEN_LOOKS).await;
    }
}
