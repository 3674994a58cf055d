//! One turn, followed to its last record.
use futures_util::{StreamExt, stream};
use quadrille_agents::{Ending, Follow, FollowStep, Part, Ticket};
use quadrille_core::{
    BatchLimit, Close, Delivery, Event, Gap, Inbox, Position, Record,
    turn::{TurnEvent, TurnKind},
};

use crate::script::{Stage, ask, say, topic};

const ROOM: BatchLimit = BatchLimit { records: 1, bytes: 1 << 20 };

fn stage() -> Stage {
    Stage::new(|question| stream::iter([say(&question.text), Ok(Part::End(None))]).boxed())
}

async fn ended(stage: &Stage, text: &str) -> (Ticket, Position) {
    let ticket = stage.desk.ask(ask("7", text)).await.expect("there is room");
    let at = ticket.ended().await.at.expect("a last record");
    (ticket, at)
}

async fn next(inbox: &mut Inbox) -> Delivery {
    let mut deliveries = Vec::new();
    inbox.recv(ROOM, &mut deliveries).await;
    deliveries.pop().expect("one delivery")
}

/// A gap that ends at `at`.
fn gap(at: Position) -> Delivery {
    Delivery::Gap(Box::new(Gap { topic: topic(7), missed: None, at }), 0)
}

fn reply(step: FollowStep<'_>) -> Option<String> {
    let FollowStep::Ended(TurnEvent::Completed(completed)) = step else { return None };
    Some(completed.text.to_string())
}

#[tokio::test]
async fn a_turn_is_its_own_records_up_to_the_last() {
    let stage = stage();
    let first = stage.desk.ask(ask("7", "one")).await.unwrap();
    let (second, last) = ended(&stage, "two").await;
    let mut follow = Follow::new(second.clone(), first.since());
    let mut inbox = stage.hub.inbox();
    follow.subscribe(&mut inbox).unwrap();
    let mut kinds = Vec::new();
    while kinds.last() != Some(&TurnKind::Completed) {
        match follow.step(&next(&mut inbox).await) {
            FollowStep::Record(_, kind) => kinds.push(kind),
            FollowStep::Nothing => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kinds, [TurnKind::Started, TurnKind::Delta, TurnKind::Completed]);
    assert_eq!(follow.position(), last);
}

#[tokio::test]
async fn an_end_that_is_not_to_come_is_told_from_memory() {
    let stage = stage();
    let (ticket, at) = ended(&stage, "one").await;
    let follow = || Follow::new(ticket.clone(), ticket.since());
    // The last record still comes.
    let before = Position { offset: at.offset - 1, ..at };
    assert!(matches!(follow().step(&gap(before)), FollowStep::Nothing));
    // It was merged away, or its log has started over; a record of another turn shows the same.
    let later = Position { epoch: at.epoch + 1, offset: 1 };
    for at in [at, later] {
        assert_eq!(reply(follow().step(&gap(at))).as_deref(), Some("one"));
    }
    let (other, _) = ended(&stage, "two").await;
    let draft = other.last_event().unwrap().draft(topic(7));
    let record = Delivery::Record(Record::new(Event::new(draft, later)), 0);
    assert_eq!(reply(follow().step(&record)).as_deref(), Some("one"));
    // The topic is gone, and the end is known.
    let deleted = Delivery::Deleted(topic(7), 0);
    assert_eq!(reply(follow().step(&deleted)).as_deref(), Some("one"));
}

#[tokio::test]
async fn a_turn_whose_topic_is_deleted_while_it_runs_is_closed() {
    let stage = Stage::new(|_| stream::pending().boxed());
    let ticket = stage.desk.ask(ask("7", "one")).await.unwrap();
    let mut follow = Follow::new(ticket.clone(), ticket.since());
    let later = Position { epoch: ticket.since().epoch + 1, offset: 9 };
    assert!(matches!(follow.step(&gap(later)), FollowStep::Nothing));
    let FollowStep::Closed(close) = follow.step(&Delivery::Deleted(topic(7), 0)) else { panic!() };
    assert_eq!(close, Close::DELETED);
    let slow = Delivery::End(Close::SLOW);
    assert!(matches!(follow.step(&slow), FollowStep::Closed(close) if close == Close::SLOW));
    assert!(!follow.is_over(Some(later)));
}

#[tokio::test]
async fn nothing_is_left_after_the_last_record_or_in_a_log_that_started_over() {
    let stage = stage();
    let (ticket, at) = ended(&stage, "one").await;
    assert!(matches!(ticket.ended().await.ending, Ending::Completed(_)));
    let is_over = |since, top| Follow::new(ticket.clone(), since).is_over(top);
    assert!(is_over(at, Some(at)) && !is_over(ticket.since(), Some(at)));
    let later = |offset| Position { epoch: at.epoch + 1, offset };
    assert!(is_over(later(3), Some(later(3))));
    assert!(!is_over(later(4), Some(later(3))) && !is_over(later(3), Some(at)));
    assert!(!is_over(later(3), None));
}
