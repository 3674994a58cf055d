//! The queue against a model that looks at everything each time.
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const RUNNING: usize = 3;
const QUEUED: usize = 4;
const WAITING: usize = 12;

fn topic(number: u8) -> Topic {
    Topic::new("room", number).unwrap()
}

fn user(number: u8) -> Arc<str> {
    number.to_string().into()
}

#[derive(Clone, Debug)]
enum Step {
    Push { topic: u8, user: u8 },
    Next,
    Done { topic: u8 },
    Remove { topic: u8, nth: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, 0..4u8).prop_map(|(topic, user)| Step::Push { topic, user }),
        3 => Just(Step::Next),
        2 => (0..6u8).prop_map(|topic| Step::Done { topic }),
        1 => (0..6u8, 0..4usize).prop_map(|(topic, nth)| Step::Remove { topic, nth }),
    ]
}

proptest! {
    #[test]
    fn each_topic_runs_one_turn_at_a_time_in_order_and_nothing_gets_lost(
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut queue = Queue::new(RUNNING, QUEUED, WAITING);
        let mut lines: BTreeMap<u8, VecDeque<(u8, usize)>> = BTreeMap::new();
        let mut running = BTreeSet::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { topic: t, user: u } => {
                    let waiting: usize = lines.values().map(VecDeque::len).sum();
                    let line = lines.entry(t).or_default();
                    let runs = running.contains(&t);
                    let at_once = !runs && line.is_empty() && running.len() < RUNNING;
                    let expected = if line.len() >= QUEUED + usize::from(!runs) {
                        Err(Full::Topic)
                    } else if !at_once && waiting >= WAITING {
                        Err(Full::Desk)
                    } else {
                        line.push_back((u, number));
                        Ok(())
                    };
                    prop_assert_eq!(queue.push(&topic(t), &user(u), (t, number)), expected);
                }
                Step::Next => {
                    let able = lines.iter().any(|(t, it)| !it.is_empty() && !running.contains(t));
                    let next = queue.next();
                    prop_assert_eq!(next.is_some(), able && running.len() < RUNNING);
                    if let Some((t, number)) = next {
                        let first = lines.get_mut(&t).and_then(VecDeque::pop_front);
                        prop_assert_eq!(first.map(|it| it.1), Some(number));
                        prop_assert!(running.insert(t));
                    }
                }
                Step::Done { topic: t } => {
                    running.remove(&t);
                    queue.done(&topic(t));
                }
                Step::Remove { topic: t, nth } => {
                    let line = lines.entry(t).or_default();
                    let meant = line.get(nth).map(|it| it.1);
                    line.retain(|it| Some(it.1) != meant);
                    let removed = queue.remove(&topic(t), |it| Some(it.1) == meant);
                    prop_assert_eq!(removed.map(|it| it.1), meant);
                }
            }
            let waiting: usize = lines.values().map(VecDeque::len).sum();
            prop_assert_eq!((queue.running(), queue.waiting()), (running.len(), waiting));
        }
        // Whatever is left can be run to its end, and then nothing is held.
        while queue.waiting() > 0 {
            for t in std::mem::take(&mut running) {
                queue.done(&topic(t));
            }
            let (t, _) = queue.next().expect("something waits, and nothing runs");
            running.insert(t);
        }
        for t in running {
            queue.done(&topic(t));
        }
        let held = (queue.lines.len(), queue.ready.len(), queue.rotation.len(), queue.running);
        prop_assert_eq!(held, (0, 0, 0, 0));
    }
}

#[test]
fn one_question_passes_the_many_of_another_user() {
    let mut queue = Queue::new(1, 100, 1000);
    for number in 0..50 {
        queue.push(&topic(number), &user(1), (1, number)).unwrap();
    }
    queue.push(&topic(99), &user(2), (2, 99)).unwrap();
    let mut order = Vec::new();
    while let Some((who, number)) = queue.next() {
        order.push(who);
        queue.done(&topic(number));
    }
    assert_eq!((order.len(), order.iter().position(|who| *who == 2)), (51, Some(1)));
}

#[test]
fn what_waits_too_long_leaves_from_the_front() {
    let mut queue = Queue::new(1, 100, 1000);
    for number in 0..6 {
        queue.push(&topic(number % 2), &user(number), number).unwrap();
    }
    assert_eq!(queue.next(), Some(0));
    let mut old = queue.remove_first(|number| *number < 4);
    old.sort_unstable();
    assert_eq!((old, queue.waiting()), (vec![1, 2, 3], 2));
    queue.done(&topic(0));
    assert_eq!(queue.next(), Some(5));
}
