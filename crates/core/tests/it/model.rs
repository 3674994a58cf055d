//! The log against a plain `Vec`, under any sequence of actions.
use proptest::prelude::*;
use quadrille_core::{BatchLimit, Delivery, Inbox, OnSlow, Policy, Position, Since};

use crate::{holding, hub, publish, topic};

#[derive(Clone, Debug)]
enum Action {
    Publish { size: usize },
    Read { reader: usize, records: usize, bytes: usize },
    Rejoin { reader: usize, back: u64 },
    Leave { reader: usize },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (0..400_usize).prop_map(|size| Action::Publish { size }),
        4 => (0..READERS, 1..6_usize, 1..2000_usize)
            .prop_map(|(reader, records, bytes)| Action::Read { reader, records, bytes }),
        1 => (0..READERS, 0..12_u64).prop_map(|(reader, back)| Action::Rejoin { reader, back }),
        1 => (0..READERS).prop_map(|reader| Action::Leave { reader }),
    ]
}

const READERS: usize = 3;
const EVENTS: usize = 5;
const BYTES: usize = 3000;

/// The log as it would be without a bound: payloads, the first at offset 1.
#[derive(Default)]
struct Model {
    all: Vec<String>,
    sizes: Vec<usize>,
}

impl Model {
    /// The oldest offset that the bounds leave.
    fn floor(&self) -> u64 {
        let mut held = 0;
        let mut bytes = 0;
        for size in self.sizes.iter().rev() {
            bytes += size;
            if held > 0 && (held == EVENTS || bytes > BYTES) {
                break;
            }
            held += 1;
        }
        (self.all.len() - held) as u64 + 1
    }
}

/// Read once and check every delivery; `next` is the offset that the reader has coming.
fn read(
    inbox: &mut Inbox,
    room: BatchLimit,
    next: &mut u64,
    model: &Model,
) -> Result<(), TestCaseError> {
    let waker = futures_util::task::noop_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut out = Vec::new();
    let ready = inbox.poll_recv(&mut cx, room, &mut out).is_ready();
    prop_assert_eq!(ready, *next <= model.all.len() as u64);
    for delivery in out {
        match delivery {
            Delivery::Record(record, tag) => {
                prop_assert_eq!((record.at.offset, tag), (*next, 7));
                prop_assert_eq!(
                    &*record.payload,
                    model.all[usize::try_from(*next).unwrap() - 1].as_str()
                );
                *next += 1;
            }
            Delivery::Gap(gap, _) => {
                prop_assert_eq!(gap.missed, Some(model.floor() - *next));
                *next = model.floor();
                prop_assert_eq!(gap.at.offset, *next - 1);
            }
            Delivery::Deleted(topic, _) => prop_assert!(false, "{} is deleted", topic),
            Delivery::End(why) => prop_assert!(false, "{:?}", why),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_reader_sees_the_log_as_it_is_or_is_told_what_it_missed(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let policy = Policy { bytes: BYTES, ..holding(EVENTS, OnSlow::Skip) };
            let (hub, topic) = (hub(policy), topic("1"));
            let mut model = Model::default();
            let mut readers: Vec<(Inbox, Option<u64>)> =
                (0..READERS).map(|_| (hub.inbox(), None)).collect();
            for action in actions {
                match action {
                    Action::Publish { size } => {
                        let payload = "1".repeat(size.max(1));
                        publish(&hub, &topic, &payload).await;
                        let newest = hub.history(&topic, Since::Now, 1).unwrap().records;
                        model.sizes.push(newest[0].size());
                        model.all.push(payload);
                    }
                    Action::Read { reader, records, bytes } => {
                        let (inbox, next) = &mut readers[reader];
                        if let Some(next) = next {
                            read(inbox, BatchLimit { records, bytes }, next, &model)?;
                        }
                    }
                    Action::Rejoin { reader, back } => {
                        let (inbox, next) = &mut readers[reader];
                        let Some(top) = hub.top(&topic) else { continue };
                        let offset = top.offset.saturating_sub(back);
                        let at = Position { offset, ..top };
                        prop_assert_eq!(inbox.subscribe(&topic, Since::After(at), 7), Ok(top));
                        *next = Some(offset + 1);
                    }
                    Action::Leave { reader } => {
                        let (inbox, next) = &mut readers[reader];
                        prop_assert_eq!(inbox.unsubscribe(&topic), next.take().is_some());
                    }
                }
            }
            Ok(())
        })?;
    }
}
