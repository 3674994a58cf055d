//! Which connections have places, and which make room.
use std::net::Ipv4Addr;

use super::*;

/// Places of a gateway with these limits.
pub(crate) fn places(mode: Mode, limits: &Limits) -> Places {
    let shares = Shares::new(limits);
    Places::divided(mode, &shares, Buffers::new(limits, &shares), limits)
}

fn open(http_connections: usize, connections_per_ip: usize) -> Places {
    places(Mode::Open, &Limits { http_connections, connections_per_ip, ..Limits::default() })
}

/// Eight places, of which a user may have two, and clients without a token four.
fn guarded() -> Places {
    let (http_connections, stranger_share) = (8, 0.5);
    places(Mode::Jwt, &Limits { http_connections, stranger_share, ..Limits::default() })
}

const ONE: Caller = Caller::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
const TWO: Caller = Caller::Address(IpAddr::V4(Ipv4Addr::BROADCAST));

fn user(name: &str) -> Holder {
    Holder::User(name.into())
}

#[test]
fn each_limit_refuses_with_its_own_reason_and_a_dropped_place_is_free() {
    let places = open(3, 2);
    let take = |caller| places.take(caller, false);
    let first = take(ONE).unwrap();
    let second = take(ONE).unwrap();
    assert_eq!(take(ONE).unwrap_err(), NotAdmitted::Address);
    let _third = take(Caller::Unix).unwrap();
    assert_eq!(take(TWO).unwrap_err(), NotAdmitted::Full);
    drop(first);
    drop(take(ONE).unwrap());
    let third = take(TWO).unwrap();
    places.reload(&Limits { http_connections: 2, ..Limits::default() });
    assert_eq!(take(TWO).unwrap_err(), NotAdmitted::Full);
    drop((third, second));
    assert!(take(ONE).is_ok());
}

#[test]
fn addresses_of_one_network_of_ipv6_count_as_one() {
    let places = open(9, 1);
    let take = |address: &str| places.take(Caller::Address(address.parse().unwrap()), false);
    let first = take("2001:db8::1").unwrap();
    assert_eq!(take("2001:db8::ffff:0:2").unwrap_err(), NotAdmitted::Address);
    let _other = take("2001:db8:0:1::1").unwrap();
    drop(first);
    assert!(take("2001:db8::2").is_ok());
}

#[test]
fn a_session_counts_elsewhere_until_it_is_over() {
    let places = open(1, 1);
    let mut place = places.take(ONE, false).unwrap();
    place.leave();
    place.leave();
    let other = places.take(ONE, false).unwrap();
    place.come_back();
    place.come_back();
    drop(other);
    assert_eq!(places.take(TWO, false).unwrap_err(), NotAdmitted::Full);
    drop(place);
    assert_eq!((places.0.pool.used(), places.taken().by_address.len()), (0, 0));
}

#[test]
fn an_operator_may_give_addresses_a_share_where_nobody_signs_in() {
    let limits = Limits { http_connections: 4, address_share: 0.5, ..Limits::default() };
    let places = places(Mode::Open, &limits);
    let _two = [(); 2].map(|()| places.take(ONE, false).unwrap());
    assert_eq!(places.take(ONE, false).unwrap_err(), NotAdmitted::Address);
    drop(places.take(TWO, false).unwrap());
}

#[test]
fn a_client_without_a_token_makes_room_for_the_next_and_one_that_waits_goes_first() {
    let places = guarded();
    let all = [(); 4].map(|()| places.take(ONE, false).unwrap());
    all[0].set_busy(true);
    let _next = places.take(TWO, false).unwrap();
    let is_gone = |place: &Place| place.displaced().is_cancelled();
    assert_eq!([0, 1, 2, 3].map(|n| is_gone(&all[n])), [false, true, false, false]);
    for place in &all {
        place.set_busy(true);
    }
    let next = places.take(ONE, false).unwrap();
    assert!(is_gone(&all[0]) && !is_gone(&next));
    assert_eq!(places.0.pool.used(), 4);
    drop(all);
    assert_eq!(places.0.pool.used(), 2);
}

#[test]
fn a_connection_whose_user_is_known_counts_within_the_share_of_the_user() {
    let places = guarded();
    let mut all: Vec<_> = (0..3).map(|_| places.take(ONE, false).unwrap()).collect();
    all[0].identified(&user("ann")).unwrap();
    all[1].identified(&user("ann")).unwrap();
    assert_eq!(all[2].identified(&user("ann")), Err(Shortage::Share));
    all[2].identified(&user("bob")).unwrap();
    // None of them has to make room for clients without a token, of which there are none now.
    let _strangers = [(); 4].map(|()| places.take(TWO, false).unwrap());
    let more = places.take(TWO, false).unwrap();
    assert!(all.iter().all(|place| !place.displaced().is_cancelled()));
    // A session that is over counts for its user again.
    all[2].leave();
    all[2].come_back();
    assert_eq!(places.0.pool.held_by(&user("bob")), 1);
    drop((all, more));
}

#[test]
fn a_trusted_proxy_has_no_share_and_counts_for_nobody() {
    let places = guarded();
    let mut all: Vec<_> = (0..8).map(|_| places.take(ONE, true).unwrap()).collect();
    for place in &mut all {
        place.identified(&user("ann")).unwrap();
    }
    assert_eq!(places.0.pool.held_by(&user("ann")), 0);
    assert_eq!(places.take(ONE, true).unwrap_err(), NotAdmitted::Full);
    all.pop();
    let stranger = places.take(TWO, false).unwrap();
    let _proxy = places.take(ONE, true).unwrap();
    assert!(stranger.displaced().is_cancelled());
}
