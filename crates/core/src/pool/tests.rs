//! How a pool is divided, and who waits for what.
use std::{
    net::{IpAddr, Ipv4Addr},
    task::Poll,
};

use futures_util::poll;

use super::*;
use crate::Limits;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn user(name: &str) -> Holder {
    Holder::User(name.into())
}

fn limits(user_share: f64, address_share: f64, stranger_share: f64) -> Limits {
    Limits { user_share, address_share, stranger_share, ..Limits::default() }
}

fn shares(user: f64, address: f64, strangers: f64) -> Shares {
    Shares::new(&limits(user, address, strangers))
}

fn pool(size: usize) -> Pool {
    Pool::new("places", size, &shares(0.25, 0.0, 0.25))
}

#[test]
fn a_user_holds_its_share_and_no_more_and_leaves_the_rest_to_others() {
    let pool = pool(8);
    let _one = pool.take(&user("ann"), 1).unwrap();
    let two = pool.take(&user("ann"), 1).unwrap();
    assert_eq!(pool.take(&user("ann"), 1).unwrap_err(), Shortage::Share);
    drop(two);
    let _two = pool.take(&user("ann"), 1).unwrap();
    let others = ["bob", "cid", "dan"].map(|name| pool.take(&user(name), 2).unwrap());
    assert_eq!(pool.take(&user("eve"), 1).unwrap_err(), Shortage::Full);
    drop(others);
    assert_eq!((pool.used(), pool.held_by(&user("ann"))), (2, 2));
}

#[test]
fn guests_have_no_share_unless_an_operator_sets_one_by_address() {
    let shares = shares(0.25, 0.0, 0.25);
    let pool = Pool::new("places", 4, &shares);
    let guest = Holder::guest(HERE);
    let held = [(); 4].map(|()| pool.take(&guest, 1).unwrap());
    drop(held);
    shares.reload(&limits(0.25, 0.5, 0.25));
    let _held = [(); 2].map(|()| pool.take(&guest, 1).unwrap());
    assert_eq!(pool.take(&guest, 1).unwrap_err(), Shortage::Share);
}

#[test]
fn strangers_share_a_part_whatever_their_address() {
    let pool = pool(8);
    let stranger = |n| Holder::stranger(Ipv4Addr::new(10, 0, 0, n).into());
    let _held = [1, 2].map(|n| pool.take(&stranger(n), 1).unwrap());
    assert_eq!(pool.take(&stranger(3), 1).unwrap_err(), Shortage::Strangers);
    drop(pool.take(&user("ann"), 1).unwrap());
}

#[test]
fn a_stranger_that_shows_its_token_makes_room_for_the_next_one() {
    let pool = pool(4);
    let stranger = Holder::stranger(HERE);
    let mut held = pool.take(&stranger, 1).unwrap();
    held.assign(&user("ann")).unwrap();
    let mut next = pool.take(&stranger, 1).unwrap();
    assert_eq!(next.assign(&user("ann")).unwrap_err(), Shortage::Share);
    assert_eq!((pool.used(), next.holder()), (2, &stranger));
    drop(held);
    next.assign(&user("ann")).unwrap();
    drop(next);
    assert_eq!(pool.used(), 0);
}

#[test]
fn a_permit_grows_within_the_share_and_shrinks() {
    let pool = pool(40);
    let mut held = pool.take(&user("ann"), 4).unwrap();
    held.grow(6).unwrap();
    assert_eq!(held.grow(1).unwrap_err(), Shortage::Share);
    held.shrink_to(3);
    assert_eq!((held.units(), pool.used()), (3, 3));
}

#[test]
fn one_request_may_be_larger_than_a_share_but_stands_alone() {
    let pool = pool(8);
    let held = pool.take(&user("ann"), 5).unwrap();
    assert_eq!(pool.take(&user("ann"), 1).unwrap_err(), Shortage::Share);
    assert_eq!(pool.take(&user("bob"), 4).unwrap_err(), Shortage::Full);
    drop(held);
    drop(pool.take(&user("bob"), 4).unwrap());
}

#[tokio::test]
async fn a_holder_at_its_share_is_passed_over_and_served_when_it_gives_back() {
    let pool = pool(2);
    let ann = user("ann");
    let first = pool.acquire(&ann, 1).await;
    let mut more = Box::pin(pool.acquire(&ann, 1));
    assert!(poll!(&mut more).is_pending());
    let bob = pool.acquire(&user("bob"), 1).await;
    drop(bob);
    assert!(poll!(&mut more).is_pending(), "the share is still used up");
    drop(first);
    assert_eq!(more.await.units(), 1);
}

#[tokio::test]
async fn waiters_are_served_in_order_and_not_overtaken() {
    let cid = user("cid");
    let bob = user("bob");
    let pool = Pool::new("places", 2, &shares(1.0, 0.0, 1.0));
    let held = pool.take(&user("ann"), 1).unwrap();
    let mut large = Box::pin(pool.acquire(&bob, 2));
    assert!(poll!(&mut large).is_pending());
    assert_eq!(pool.take(&user("cid"), 1).unwrap_err(), Shortage::Full);
    let mut small = Box::pin(pool.acquire(&cid, 1));
    assert!(poll!(&mut small).is_pending());
    drop(held);
    let large = large.await;
    assert!(poll!(&mut small).is_pending());
    drop(large);
    assert!(matches!(poll!(&mut small), Poll::Ready(_)));
    assert_eq!(pool.used(), 0);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_holds_up_nobody() {
    let bob = user("bob");
    let pool = Pool::new("places", 2, &shares(1.0, 0.0, 1.0));
    let _held = pool.take(&user("ann"), 1).unwrap();
    let mut large = Box::pin(pool.acquire(&bob, 2));
    assert!(poll!(&mut large).is_pending());
    drop(large);
    let _small = pool.take(&user("cid"), 1).unwrap();
}

#[tokio::test]
async fn units_granted_to_a_caller_that_has_left_come_back() {
    let bob = user("bob");
    let pool = pool(1);
    let held = pool.take(&user("ann"), 1).unwrap();
    let mut next = Box::pin(pool.acquire(&bob, 1));
    assert!(poll!(&mut next).is_pending());
    drop(held);
    assert_eq!(pool.used(), 1);
    drop(next);
    assert_eq!(pool.used(), 0);
}

#[tokio::test]
async fn a_larger_pool_serves_those_that_wait() {
    let ann = user("ann");
    let pool = Pool::new("places", 0, &Shares::default());
    let mut next = Box::pin(pool.acquire(&ann, 1));
    assert!(poll!(&mut next).is_pending());
    pool.resize(1);
    assert_eq!(next.await.units(), 1);
}

#[test]
fn pools_of_one_name_are_shown_as_one_until_they_are_dropped() {
    let shares = shares(0.5, 0.0, 0.25);
    let places = Pool::new("places", 4, &shares);
    let bytes = Pool::new("bytes", 100, &shares);
    let more = Pool::new("places", 2, &shares);
    let _held = places.take(&user("ann"), 1).unwrap();
    let _more = more.take(&user("ann"), 1).unwrap();
    let shown = |name, used, size| Usage { name, used, size };
    assert_eq!(shares.pools(), [shown("bytes", 0, 100), shown("places", 2, 6)]);
    drop(bytes);
    assert_eq!(shares.pools(), [shown("places", 2, 6)]);
}
