//! Which connections have limit, and which make room.
use std::net::Ipv4Addr;

use super::*;

/// The limit of a gateway with these limits.
pub(crate) fn connection_limit(mode: Mode, limits: &Limits) -> ConnectionLimit {
    let shares = Shares::new(limits);
    ConnectionLimit::divided(mode, &shares, Buffers::new(limits, &shares), limits)
}

fn open(http_connections: usize, connections_per_ip: usize) -> ConnectionLimit {
    connection_limit(
        Mode::Open,
        &Limits { http_connections, connections_per_ip, ..Limits::default() },
    )
}

/// Eight limit, of which a user may have two, and clients without a token four.
fn guarded() -> ConnectionLimit {
    let (http_connections, stranger_share) = (8, 0.5);
    connection_limit(Mode::Jwt, &Limits { http_connections, stranger_share, ..Limits::default() })
}

const ONE: ConnectionPeer = ConnectionPeer::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
const TWO: ConnectionPeer = ConnectionPeer::Address(IpAddr::V4(Ipv4Addr::BROADCAST));

fn user(name: &str) -> Holder {
    Holder::User(name.into())
}

#[test]
fn each_limit_refuses_with_its_own_reason_and_a_dropped_place_is_free() {
    let limit = open(3, 2);
    let acquire = |caller| limit.acquire(caller, false);
    let first = acquire(ONE).unwrap();
    let second = acquire(ONE).unwrap();
    assert_eq!(acquire(ONE).unwrap_err(), NotAdmitted::Address);
    let _third = acquire(ConnectionPeer::Unix).unwrap();
    assert_eq!(acquire(TWO).unwrap_err(), NotAdmitted::Full);
    drop(first);
    drop(acquire(ONE).unwrap());
    let third = acquire(TWO).unwrap();
    limit.reload(&Limits { http_connections: 2, ..Limits::default() });
    assert_eq!(acquire(TWO).unwrap_err(), NotAdmitted::Full);
    drop((third, second));
    assert!(acquire(ONE).is_ok());
}

#[test]
fn addresses_of_one_network_of_ipv6_count_as_one() {
    let limit = open(9, 1);
    let acquire =
        |address: &str| limit.acquire(ConnectionPeer::Address(address.parse().unwrap()), false);
    let first = acquire("2001:db8::1").unwrap();
    assert_eq!(acquire("2001:db8::ffff:0:2").unwrap_err(), NotAdmitted::Address);
    let _other = acquire("2001:db8:0:1::1").unwrap();
    drop(first);
    assert!(acquire("2001:db8::2").is_ok());
}

#[test]
fn a_session_counts_elsewhere_until_it_is_over() {
    let limit = open(1, 1);
    let mut permit = limit.acquire(ONE, false).unwrap();
    permit.release();
    permit.release();
    let other = limit.acquire(ONE, false).unwrap();
    permit.reacquire();
    permit.reacquire();
    drop(other);
    assert_eq!(limit.acquire(TWO, false).unwrap_err(), NotAdmitted::Full);
    drop(permit);
    assert_eq!((limit.0.pool.used(), limit.taken().by_address.len()), (0, 0));
}

#[test]
fn an_operator_may_give_addresses_a_share_where_nobody_signs_in() {
    let limits = Limits { http_connections: 4, address_share: 0.5, ..Limits::default() };
    let limit = connection_limit(Mode::Open, &limits);
    let _two = [(); 2].map(|()| limit.acquire(ONE, false).unwrap());
    assert_eq!(limit.acquire(ONE, false).unwrap_err(), NotAdmitted::Address);
    drop(limit.acquire(TWO, false).unwrap());
}

#[test]
fn a_client_without_a_token_makes_room_for_the_next_and_one_that_waits_goes_first() {
    let limit = guarded();
    let all = [(); 4].map(|()| limit.acquire(ONE, false).unwrap());
    all[0].set_busy(true);
    let _next = limit.acquire(TWO, false).unwrap();
    let is_gone = |permit: &ConnectionPermit| permit.displaced().is_cancelled();
    assert_eq!([0, 1, 2, 3].map(|n| is_gone(&all[n])), [false, true, false, false]);
    for permit in &all {
        permit.set_busy(true);
    }
    let next = limit.acquire(ONE, false).unwrap();
    assert!(is_gone(&all[0]) && !is_gone(&next));
    assert_eq!(limit.0.pool.used(), 4);
    drop(all);
    assert_eq!(limit.0.pool.used(), 2);
}

#[test]
fn a_connection_whose_user_is_known_counts_within_the_share_of_the_user() {
    let limit = guarded();
    let mut all: Vec<_> = (0..3).map(|_| limit.acquire(ONE, false).unwrap()).collect();
    all[0].identified(&user("ann")).unwrap();
    all[1].identified(&user("ann")).unwrap();
    assert_eq!(all[2].identified(&user("ann")), Err(Shortage::Share));
    all[2].identified(&user("bob")).unwrap();
    // None of them has to make room for clients without a token, of which there are none now.
    let _strangers = [(); 4].map(|()| limit.acquire(TWO, false).unwrap());
    let more = limit.acquire(TWO, false).unwrap();
    assert!(all.iter().all(|permit| !permit.displaced().is_cancelled()));
    // A session that is over counts for its user again.
    all[2].release();
    all[2].reacquire();
    assert_eq!(limit.0.pool.held_by(&user("bob")), 1);
    drop((all, more));
}

#[test]
fn a_trusted_proxy_has_no_share_and_counts_for_nobody() {
    let limit = guarded();
    let mut all: Vec<_> = (0..8).map(|_| limit.acquire(ONE, true).unwrap()).collect();
    for permit in &mut all {
        permit.identified(&user("ann")).unwrap();
    }
    assert_eq!(limit.0.pool.held_by(&user("ann")), 0);
    assert_eq!(limit.acquire(ONE, true).unwrap_err(), NotAdmitted::Full);
    all.pop();
    let stranger = limit.acquire(TWO, false).unwrap();
    let _proxy = limit.acquire(ONE, true).unwrap();
    assert!(stranger.displaced().is_cancelled());
}
