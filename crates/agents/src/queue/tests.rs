//! The queue against a model that looks at everything each time.
use std::collections::BTreeMap;

use proptest::prelude::*;
use quadrille_core::Limits;

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

fn holder(number: u8) -> Holder {
    Holder::User(user(number))
}

/// Where one user may have `part` of everything.
fn shares(part: f64) -> Shares {
    Shares::new(&Limits { user_share: part, ..Limits::default() })
}

/// The line of a topic, as the model keeps it: user, round and number of each turn that waits, and
/// the user and the round of the last that was started.
#[derive(Default)]
struct Modelled {
    waiting: Vec<(u8, u64, usize)>,
    last: Option<(u8, u64)>,
}

impl Modelled {
    fn push(&mut self, user: u8, number: usize) {
        let own = self
            .waiting
            .iter()
            .filter(|waiting| waiting.0 == user)
            .map(|waiting| waiting.1 + 1)
            .max();
        let (last, present) = self.last.unwrap_or((u8::MAX, 0));
        let round = own.unwrap_or(present + u64::from(last == user));
        self.waiting.push((user, round, number));
        // Stable: those of one round stay in the order of asking.
        self.waiting.sort_by_key(|waiting| waiting.1);
    }

    fn of(&self, user: u8) -> usize {
        self.waiting.iter().filter(|waiting| waiting.0 == user).count()
    }
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
    fn each_topic_runs_one_turn_at_a_time_and_nothing_gets_lost(
        steps in prop::collection::vec(step(), 1..200),
        part in prop_oneof![Just(0.5), Just(1.0)],
    ) {
        let mut queue = Queue::new(RUNNING, QUEUED, WAITING, &shares(part));
        let most = |of: usize| if part < 1.0 { of.div_ceil(2) } else { of };
        let mut lines: BTreeMap<u8, Modelled> = BTreeMap::new();
        let mut running: BTreeMap<u8, u8> = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { topic: t, user: u } => {
                    let waiting: usize = lines.values().map(|line| line.waiting.len()).sum();
                    let own: usize = lines.values().map(|line| line.of(u)).sum();
                    let line = lines.entry(t).or_default();
                    let runs = running.contains_key(&t);
                    let of_user = running.values().filter(|user| **user == u).count();
                    let free = running.len() < RUNNING && of_user < most(RUNNING);
                    let at_once = !runs && line.waiting.is_empty() && free;
                    let ahead = usize::from(!runs);
                    let pushed = queue.push(&topic(t), &user(u), &holder(u), (t, number));
                    if at_once {
                        prop_assert_eq!(pushed, Ok(()));
                    } else if line.waiting.len() >= QUEUED + ahead {
                        prop_assert_eq!(pushed, Err(QueueFull::Topic));
                    } else if line.of(u) >= most(QUEUED) + ahead {
                        prop_assert_eq!(pushed, Err(QueueFull::Share));
                    } else if let Err(err) = pushed {
                        // Those that started at once, or were to, hold no place.
                        let full = waiting >= WAITING;
                        prop_assert!(full || own >= most(WAITING), "{:?}", err);
                    }
                    if pushed.is_ok() {
                        line.push(u, number);
                    }
                }
                Step::Next => {
                    let able = |(u, ..): &(u8, u64, usize)| {
                        running.len() < RUNNING
                            && running.values().filter(|user| *user == u).count() < most(RUNNING)
                    };
                    let first = |(t, line): (&u8, &Modelled)| {
                        let able = line.waiting.iter().position(able);
                        able.filter(|_| !running.contains_key(t)).map(|at| (*t, at))
                    };
                    let able: BTreeMap<_, _> = lines.iter().filter_map(first).collect();
                    let next = queue.next();
                    prop_assert_eq!(next.is_some(), !able.is_empty());
                    if let Some((t, number)) = next {
                        let line = lines.get_mut(&t).unwrap();
                        let (u, round, first) = line.waiting.remove(able[&t]);
                        prop_assert_eq!(first, number);
                        line.last = Some((u, round));
                        prop_assert!(running.insert(t, u).is_none());
                    }
                }
                Step::Done { topic: t } => {
                    running.remove(&t);
                    queue.done(&topic(t));
                    lines.retain(|at, line| !line.waiting.is_empty() || running.contains_key(at));
                }
                Step::Remove { topic: t, nth } => {
                    let line = lines.entry(t).or_default();
                    let meant = line.waiting.get(nth).map(|waiting| waiting.2);
                    line.waiting.retain(|waiting| Some(waiting.2) != meant);
                    let removed = queue.remove(&topic(t), |turn| Some(turn.1) == meant);
                    prop_assert_eq!(removed.map(|turn| turn.1), meant);
                    lines.retain(|at, line| !line.waiting.is_empty() || running.contains_key(at));
                }
            }
            let waiting: usize = lines.values().map(|line| line.waiting.len()).sum();
            prop_assert_eq!((queue.running(), queue.waiting()), (running.len(), waiting));
        }
        // Whatever is left can be run to its end, and then nothing is held.
        while queue.waiting() > 0 {
            for t in std::mem::take(&mut running).into_keys() {
                queue.done(&topic(t));
            }
            let (t, _) = queue.next().expect("something waits, and nothing runs");
            running.insert(t, 0);
        }
        for t in running.into_keys() {
            queue.done(&topic(t));
        }
        let held = (queue.topics.len(), queue.ready.len(), queue.rotation.len());
        prop_assert_eq!((held, queue.running(), queue.waiting_permits.used()), ((0, 0, 0), 0, 0));
    }
}

#[test]
fn one_question_passes_the_many_of_another_user() {
    let mut queue = Queue::new(1, 100, 1000, &shares(1.0));
    for number in 0..50 {
        queue.push(&topic(number), &user(1), &holder(1), (1, number)).unwrap();
    }
    queue.push(&topic(99), &user(2), &holder(2), (2, 99)).unwrap();
    let mut order = Vec::new();
    while let Some((who, number)) = queue.next() {
        order.push(who);
        queue.done(&topic(number));
    }
    assert_eq!((order.len(), order.iter().position(|who| *who == 2)), (51, Some(1)));
}

#[test]
fn what_waits_too_long_leaves_from_the_front() {
    let mut queue = Queue::new(1, 100, 1000, &shares(1.0));
    for number in 0..6 {
        queue.push(&topic(number % 2), &user(number), &holder(number), number).unwrap();
    }
    assert_eq!(queue.next(), Some(0));
    let mut old = queue.remove_all(|number| *number < 4);
    old.sort_unstable();
    assert_eq!((old, queue.waiting()), (vec![1, 2, 3], 2));
    queue.done(&topic(0));
    assert_eq!(queue.next(), Some(5));
}

#[test]
fn within_a_topic_users_take_turns_too() {
    let mut queue = Queue::new(1, 100, 1000, &shares(1.0));
    let push = |queue: &mut Queue<_>, who: u8, number: u8| {
        queue.push(&topic(0), &user(who), &holder(who), (who, number)).unwrap();
    };
    for number in 0..5 {
        push(&mut queue, 1, number);
    }
    for number in 0..2 {
        push(&mut queue, 2, number);
    }
    let mut order = Vec::new();
    while let Some(turn) = queue.next() {
        order.push(turn);
        // Whoever comes late has the next round, not the last.
        if order.len() == 4 {
            push(&mut queue, 3, 0);
        }
        queue.done(&topic(0));
    }
    let expected = [(1, 0), (2, 0), (1, 1), (2, 1), (3, 0), (1, 2), (1, 3), (1, 4)];
    assert_eq!(order, expected);
}

#[test]
fn a_user_has_a_quarter_of_a_topic_of_the_desk_and_of_what_runs() {
    let mut queue = Queue::new(4, 8, 16, &Shares::default());
    let push = |queue: &mut Queue<_>, t: u8, u: u8| {
        let pushed = queue.push(&topic(t), &user(u), &holder(u), (t, u));
        pushed.map(|()| queue.next())
    };
    let (runs, waits, refused) = (|t, u| Ok(Some((t, u))), Ok(None), Err(QueueFull::Share));
    assert_eq!(push(&mut queue, 0, 1), runs(0, 1));
    // Two wait behind it.
    assert_eq!([(); 3].map(|()| push(&mut queue, 0, 1)), [waits, waits, refused]);
    assert_eq!([2, 3].map(|u| push(&mut queue, 0, u)), [waits, waits]);
    // In another topic, one more would run: there they wait, and the fifth in all is too much.
    assert_eq!([1, 2, 3].map(|t| push(&mut queue, t, 1)), [waits, waits, refused]);
    assert_eq!(push(&mut queue, 3, 2), runs(3, 2));
    queue.done(&topic(0));
    assert_eq!(queue.next(), Some((1, 1)), "user 2 has a turn that runs");
    assert_eq!(queue.next(), Some((0, 3)));
    assert_eq!(queue.next(), None);
}
