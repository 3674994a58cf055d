//! The hand-off between publishers and a reader under every interleaving, by loom.
//!
//! Run by `cargo xtask test model`. A lost wake-up shows as a deadlock, a duplicate or a hole as
//! wrong offsets.
use std::{future::poll_fn, sync::Arc};

use loom::{future::block_on, thread};

use crate::{
    BatchLimit, Delivery, Draft, Policy, Since,
    budget::Budget,
    log::{Log, Reader, ReaderMailbox, wake},
};

fn log() -> Arc<Log> {
    let budget = Budget::new(usize::MAX);
    let topic = "room:1".parse().expect("a topic");
    Arc::new(Log::new(topic, Policy::default(), 1, Arc::new(budget)))
}

fn publisher(log: &Arc<Log>, records: usize) -> thread::JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for _ in 0..records {
            let topic = "room:1".parse().expect("a topic");
            log.append(Draft::new(topic, "n", "1")).expect("not expired");
        }
    })
}

fn joined(log: &Arc<Log>) -> (Arc<ReaderMailbox>, Arc<Reader>) {
    let mailbox = Arc::<ReaderMailbox>::default();
    let (reader, _) = log.join(Since::Now, 0, &mailbox).expect("no pool").expect("not expired");
    (mailbox, reader)
}

/// Waits until `count` records have come, at most `batch` at a time.
fn read(mailbox: &ReaderMailbox, count: usize, batch: usize) -> Vec<u64> {
    let mut out = Vec::new();
    while out.len() < count {
        let room = BatchLimit { records: batch, bytes: usize::MAX };
        block_on(poll_fn(|cx| mailbox.poll_recv(cx, room, &mut out)));
    }
    let offset = |delivery| match delivery {
        Delivery::Record(record, _) => record.at.offset,
        Delivery::Gap(..) | Delivery::Deleted(..) | Delivery::End(_) => {
            panic!("nothing is lost here")
        }
    };
    out.into_iter().map(offset).collect()
}

/// Does the same as dropping an inbox; loom finds leaks.
fn end(mailbox: &ReaderMailbox, reader: &Arc<Reader>) {
    mailbox.close();
    reader.leave();
}

#[test]
fn a_reader_hears_of_every_record_once() {
    loom::model(|| {
        let log = log();
        let (mailbox, reader) = joined(&log);
        let publisher = publisher(&log, 2);
        assert_eq!(read(&mailbox, 2, 1), [1, 2]);
        publisher.join().expect("no panic");
        end(&mailbox, &reader);
    });
}

#[test]
fn two_publishers_cannot_reorder_or_lose() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let log = log();
        let (mailbox, reader) = joined(&log);
        let publishers = [publisher(&log, 1), publisher(&log, 1)];
        assert_eq!(read(&mailbox, 2, 9), [1, 2]);
        for publisher in publishers {
            publisher.join().expect("no panic");
        }
        end(&mailbox, &reader);
    });
}

#[test]
fn a_reader_may_leave_and_another_come_while_records_arrive() {
    loom::model(|| {
        let log = log();
        let (mailbox, reader) = joined(&log);
        let publisher = publisher(&log, 1);
        let at = reader.retag(0).expect("not deleted");
        reader.leave();
        let (next, _) =
            log.join(Since::After(at), 0, &mailbox).expect("no pool").expect("not expired");
        assert_eq!(read(&mailbox, 1, 9), [1]);
        publisher.join().expect("no panic");
        end(&mailbox, &next);
    });
}

#[test]
fn a_reader_hears_once_that_its_topic_is_deleted_and_of_nothing_after() {
    loom::model(|| {
        let log = log();
        let (mailbox, reader) = joined(&log);
        let publisher = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                let topic = "room:1".parse().expect("a topic");
                log.append(Draft::new(topic, "n", "1")).is_ok()
            })
        };
        let deleter = {
            let log = Arc::clone(&log);
            thread::spawn(move || wake(log.delete()))
        };
        let mut out = Vec::new();
        while !matches!(out.last(), Some(Delivery::Deleted(..))) {
            let room = BatchLimit { records: 9, bytes: usize::MAX };
            block_on(poll_fn(|cx| mailbox.poll_recv(cx, room, &mut out)));
        }
        let is_published = publisher.join().expect("no panic");
        deleter.join().expect("no panic");
        assert_eq!(out.len(), 1 + usize::from(is_published));
        end(&mailbox, &reader);
    });
}
