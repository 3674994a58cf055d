//! A hub that is fed by other nodes.
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use quadrille_core::{
    Backplane, BackplaneError, Draft, Event, Hub, Life, Limits, OnSlow, Position, Record, Since,
    Topic,
};
use tokio_util::sync::CancellationToken;

use crate::{drain, following, holding, hub, topic};

fn record(topic: &Topic, epoch: u64, offset: u64) -> Record {
    let draft = Draft::new(topic.clone(), "n", offset.to_string());
    Arc::new(Event::new(draft, Position { epoch, offset }))
}

#[tokio::test]
async fn records_of_other_nodes_keep_their_positions_and_duplicates_are_ignored() {
    let (hub, topic) = (hub(holding(9, OnSlow::Skip)), topic("1"));
    hub.accept(&record(&topic, 7, 1)).unwrap();
    let mut inbox = following(&hub, &topic, Since::Now);
    for offset in [2, 2, 1, 3] {
        hub.accept(&record(&topic, 7, offset)).unwrap();
    }
    assert_eq!(drain(&mut inbox), ["2", "3"]);
    assert_eq!(hub.top(&topic), Some(Position { epoch: 7, offset: 3 }));
}

#[tokio::test]
async fn a_hole_is_never_silent() {
    let (hub, topic) = (hub(holding(9, OnSlow::Skip)), topic("1"));
    hub.accept(&record(&topic, 7, 1)).unwrap();
    let mut inbox = following(&hub, &topic, Since::Now);
    hub.accept(&record(&topic, 7, 2)).unwrap();
    hub.accept(&record(&topic, 7, 5)).unwrap();
    assert_eq!(drain(&mut inbox), ["-3", "5"]);
}

#[tokio::test]
async fn lost_continuity_is_a_gap_for_every_reader_asleep_or_awake() {
    let (hub, topic) = (hub(holding(9, OnSlow::Skip)), topic("1"));
    hub.accept(&record(&topic, 7, 1)).unwrap();
    let mut asleep = following(&hub, &topic, Since::Now);
    let mut awake = following(&hub, &topic, Since::Start);
    hub.reset(&topic, 8);
    hub.accept(&record(&topic, 8, 1)).unwrap();
    assert_eq!(
        (drain(&mut asleep), drain(&mut awake)),
        (vec!["-0".into(), "1".into()], vec!["-0".into(), "1".into()])
    );
    hub.accept(&record(&topic, 9, 4)).unwrap();
    assert_eq!(drain(&mut asleep), ["-0", "4"]);
}

#[tokio::test]
async fn a_reset_to_the_same_epoch_is_a_gap_too_whatever_happens_to_slow_readers() {
    for on_slow in [OnSlow::Skip, OnSlow::Coalesce, OnSlow::Disconnect] {
        let (hub, topic) = (hub(holding(9, on_slow)), topic("1"));
        hub.accept(&record(&topic, 7, 1)).unwrap();
        let mut inbox = following(&hub, &topic, Since::Start);
        hub.reset(&topic, 7);
        hub.accept(&record(&topic, 7, 1)).unwrap();
        assert_eq!(drain(&mut inbox), ["-0", "1"], "{on_slow:?}");
    }
}

#[tokio::test]
async fn a_hole_is_not_silent_when_coalescing_either() {
    let (hub, topic) = (hub(holding(9, OnSlow::Coalesce)), topic("1"));
    hub.accept(&record(&topic, 7, 1)).unwrap();
    let mut inbox = following(&hub, &topic, Since::Now);
    hub.accept(&record(&topic, 7, 5)).unwrap();
    assert_eq!(drain(&mut inbox), ["-0", "5"]);
}

/// Orders what it is given and hands it back later, as a server between nodes does.
#[derive(Default)]
struct Shared(Mutex<Vec<Draft>>);

impl Backplane for Shared {
    fn publish(&self, draft: Draft) -> BoxFuture<'_, Result<Position, BackplaneError>> {
        let mut all = self.0.lock().unwrap();
        all.push(draft);
        let offset = all.len() as u64;
        Box::pin(async move { Ok(Position { epoch: 7, offset }) })
    }

    fn follow(&self, _: &Topic, _: bool) {}

    fn backfill<'a>(
        &'a self,
        _: &'a Topic,
        _: Position,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, BackplaneError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn run(self: Arc<Self>, hub: Hub, _: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let all = std::mem::take(&mut *self.0.lock().unwrap());
            for (offset, draft) in (1..).zip(all) {
                let event = Event::new(draft, Position { epoch: 7, offset });
                hub.accept(&Arc::new(event)).unwrap();
            }
        })
    }
}

#[tokio::test]
async fn with_a_backplane_a_record_is_delivered_when_it_comes_back() {
    let (shared, topic) = (Arc::new(Shared::default()), topic("1"));
    let policies = holding(9, OnSlow::Skip).into();
    let hub = Hub::new(policies, &Limits::default(), Some(shared.clone()), &Life::new());
    let mut inbox = following(&hub, &topic, Since::Now);
    let receipt = hub.publish(Draft::new(topic.clone(), "n", "1")).await.unwrap();
    assert_eq!((receipt.at.offset, drain(&mut inbox)), (1, vec![]));
    shared.run(hub, CancellationToken::new()).await;
    // The shared log has an epoch of its own.
    assert_eq!(drain(&mut inbox), ["-0", "1"]);
}
