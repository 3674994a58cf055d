//! Throttle of repeated log lines. Clients can cause most of them at any rate, so each callsite writes
//! only a few at once.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quadrille_core::Life;
use tokio::time::{Instant, sleep};
use tracing::{Level, Metadata, callsite::Identifier, subscriber::Interest};
use tracing_subscriber::{
    filter::LevelFilter,
    layer::{Context, Filter},
};

/// Lines from one callsite within [`WINDOW`]. More are counted, and reported as a number.
const AT_ONCE: u32 = 10;

const WINDOW: Duration = Duration::from_secs(10);

/// Passes the first lines of each callsite. Lines below the level `info` are not throttled. Cloning
/// shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogThrottle(Arc<Mutex<HashMap<Identifier, Callsite>>>);

#[derive(Debug)]
struct Callsite {
    /// Module, and line in its file.
    at: (String, u32),
    begin: Instant,
    count: u32,
    skipped: u64,
}

impl LogThrottle {
    fn callsites(&self) -> MutexGuard<'_, HashMap<Identifier, Callsite>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        let now = Instant::now();
        let mut callsites = self.callsites();
        let callsite = callsites.entry(metadata.callsite()).or_insert_with(|| Callsite {
            at: (metadata.target().to_owned(), metadata.line().unwrap_or_default()),
            begin: now,
            count: 0,
            skipped: 0,
        });
        if now.duration_since(callsite.begin) >= WINDOW {
            (callsite.begin, callsite.count) = (now, 0);
        }
        let passes = callsite.count < AT_ONCE;
        if passes {
            callsite.count += 1;
        } else {
            callsite.skipped += 1;
        }
        passes
    }

    /// Reports periodically how many lines were skipped, until the process stops.
    pub(crate) async fn report(self, life: Life) {
        let mut stops = false;
        while !stops {
            tokio::select! {
                () = sleep(WINDOW) => {}
                () = life.draining() => stops = true,
            }
            for ((from, line), lines) in self.skipped() {
                tracing::warn!(lines, from, line, "log lines were skipped: they came too often");
            }
        }
    }

    fn skipped(&self) -> Vec<((String, u32), u64)> {
        let mut callsites = self.callsites();
        let callsites = callsites.values_mut().filter(|callsite| callsite.skipped > 0);
        callsites
            .map(|callsite| (callsite.at.clone(), std::mem::take(&mut callsite.skipped)))
            .collect()
    }
}

impl<S> Filter<S> for LogThrottle {
    /// Not in `event_enabled`: a refusal there also affects the thread's next event.
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        !counts(metadata) || self.passes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if counts(metadata) { Interest::sometimes() } else { Interest::always() }
    }

    /// No level of its own; of two filters the lower one counts.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

fn counts(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tracing::Event;
    use tracing_subscriber::{Layer, layer::SubscriberExt};

    use super::*;

    struct Count(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for Count {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_in_the_code_writes_a_few_lines_at_once_and_the_rest_is_counted() {
        let (throttle, seen) = (LogThrottle::default(), Arc::new(AtomicUsize::new(0)));
        let layer = Count(Arc::clone(&seen)).with_filter(throttle.clone());
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let write = || (0..25).for_each(|n| tracing::warn!(n, "again"));
        write();
        assert_eq!(seen.swap(0, Relaxed), 10);
        tracing::warn!("from another callsite");
        (0..25).for_each(|n| tracing::debug!(n, "details"));
        assert_eq!(seen.swap(0, Relaxed), 26);
        assert_eq!(
            throttle.skipped().into_iter().map(|(_, lines)| lines).collect::<Vec<_>>(),
            [15]
        );
        assert!(throttle.skipped().is_empty(), "it was reported");
        tokio::time::advance(WINDOW).await;
        write();
        assert_eq!(seen.swap(0, Relaxed), 10);
    }
}
