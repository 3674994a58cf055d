//! Connections that are cut again and again, and still nothing is lost or doubled.
use std::{collections::BTreeSet, ops::ControlFlow};

use e2e::{Client, Dice, Gateway};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

const SUBSCRIBERS: u64 = 50;
const CUTS: usize = 100;
const RECORDS: u64 = 5000;

/// A subscriber that loses its connection after each of the records in `cuts`.
struct Subscriber {
    gateway: std::net::SocketAddr,
    dice: Dice,
    cuts: BTreeSet<u64>,
    since: String,
    got: Vec<u64>,
}

impl Subscriber {
    /// Reads until the next cut, or to the end.
    async fn read(
        &mut self,
        client: &mut Client,
        progress: &watch::Sender<u64>,
    ) -> ControlFlow<()> {
        loop {
            let frame = client.next_json().await;
            let Some(n) = frame["payload"].as_u64() else {
                panic!("{frame} after {:?}", self.got.last());
            };
            self.got.push(n);
            frame["position"].as_str().expect("a position").clone_into(&mut self.since);
            progress.send_if_modified(|far| std::mem::replace(far, n.max(*far)) < n);
            if n + 1 >= RECORDS {
                return ControlFlow::Break(());
            }
            if self.cuts.remove(&n) {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Connects, asks for what is missing, and is cut off; sometimes before the acknowledgement.
    async fn run(mut self, progress: watch::Sender<u64>) -> Vec<u64> {
        loop {
            let mut client = Client::connect_to(self.gateway).await;
            let resume = json!({"channel": "c", "since": self.since, "positions": true});
            if self.dice.below(8) == 0 {
                let command = e2e::Form::Envelope.command("subscribe", resume);
                client.send_json(&command).await;
                continue;
            }
            client.subscribe_with(resume).await;
            if self.read(&mut client, &progress).await.is_break() {
                return self.got;
            }
        }
    }
}

/// Stays a random number of records ahead of the fastest subscriber, so that some records are
/// delivered as they come and some from the log.
async fn publish(gateway: &Gateway, mut dice: Dice, mut progress: watch::Receiver<u64>) {
    let mut publisher = Client::connect(gateway).await;
    let mut ahead = 0;
    for n in 0..RECORDS {
        publisher.publish("c", &json!(n)).await;
        if n > ahead {
            progress.wait_for(|far| far + 50 > n).await.expect("the subscribers are there");
            ahead = n + dice.below(100);
        }
    }
    publisher.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_cut_a_hundred_times_get_every_record_once_and_in_order() {
    let seed = Dice::seed();
    let mut dice = Dice::new(seed);
    let settings = [("topics.chan.events", "8192"), ("topics.chan.bytes", "67108864")];
    let gateway = Gateway::start(&settings).await;
    let since = Client::connect(&gateway).await.subscribe("c").await;
    let (progress, far) = watch::channel(0);
    let mut subscribers = JoinSet::new();
    for _ in 0..SUBSCRIBERS {
        let mut cuts = BTreeSet::new();
        while cuts.len() < CUTS {
            cuts.insert(dice.below(RECORDS - 1));
        }
        let subscriber = Subscriber {
            gateway: gateway.address(),
            dice: Dice::new(dice.roll()),
            cuts,
            since: since.clone(),
            got: Vec::new(),
        };
        subscribers.spawn(subscriber.run(progress.clone()));
    }
    publish(&gateway, dice, far).await;
    while let Some(ended) = subscribers.join_next().await {
        let got = ended.unwrap_or_else(|e| panic!("QUADRILLE_TEST_SEED={seed}: {e}"));
        let wrong = got.iter().zip(0..).find(|(got, expected)| *got != expected);
        assert_eq!((wrong, got.len()), (None, 5000), "QUADRILLE_TEST_SEED={seed}");
    }
}
