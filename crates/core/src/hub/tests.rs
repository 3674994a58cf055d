//! The logs that a hub holds, which only a look inside shows.
mod bytes;

use std::{sync::atomic::AtomicBool, thread};

use super::*;

#[tokio::test]
async fn a_log_in_use_is_never_dropped_however_many_look_for_idle_ones() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let done = AtomicBool::new(false);
    let waker = futures_util::task::noop_waker();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    hub.drop_idle(|_| false);
                }
            });
        }
        for n in 0..5000 {
            let topic = Topic::new("room", n % 50).expect("a topic");
            let mut inbox = hub.inbox();
            inbox.subscribe(&topic, Since::Now, 0).expect("room for it");
            thread::yield_now();
            drop(hub.publish(Draft::new(topic, "n", "1")));
            let room = crate::BatchLimit { records: 9, bytes: 9999 };
            let cx = &mut std::task::Context::from_waker(&waker);
            assert!(inbox.poll_recv(cx, room, &mut Vec::new()).is_ready(), "an orphan");
        }
        done.store(true, Relaxed);
    });
    let held = |shard: &RwLock<HashMap<Topic, Arc<Log>>>| {
        shard.read().unwrap_or_else(PoisonError::into_inner).len()
    };
    assert_eq!(hub.0.topics.used(), hub.0.shards.iter().map(held).sum::<usize>());
}
