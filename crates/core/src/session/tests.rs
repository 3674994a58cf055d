//! Sessions that are admitted, and sessions that are ended.
use super::*;

fn who(last: u8) -> Admission {
    let peer = [127, 0, 0, last].into();
    Admission { protocol: "test", user: None, holder: Holder::guest(peer), peer }
}

fn stranger(last: u8) -> Admission {
    let who = who(last);
    Admission { holder: Holder::stranger(who.peer), ..who }
}

fn user(name: &str) -> Admission {
    let user = Some(name.into());
    Admission { user, holder: Holder::User(name.into()), ..who(1) }
}

/// A registry for eight sessions, of which a user may have two, and strangers four.
fn small() -> Registry {
    let limits = Limits { connections: 8, stranger_share: 0.5, ..Limits::default() };
    Registry::new(limits)
}

#[test]
fn each_limit_refuses_with_its_own_reason_and_a_dropped_session_gives_its_place_back() {
    let limits = Limits { connections: 3, connections_per_ip: 2, ..Limits::default() };
    let registry = Registry::new(limits);
    let first = registry.admit(who(1)).unwrap();
    let _second = registry.admit(who(1)).unwrap();
    assert_eq!(registry.admit(who(1)).unwrap_err(), NotAdmitted::Address);
    let _third = registry.admit(who(2)).unwrap();
    assert_eq!(registry.admit(who(3)).unwrap_err(), NotAdmitted::Full);
    drop(first);
    assert!(registry.admit(who(1)).is_ok());
    assert_eq!(registry.count(), 2);
    registry.reload(&Limits { connections: 1, ..Limits::default() });
    assert_eq!((registry.count(), registry.admit(who(4)).unwrap_err()), (2, NotAdmitted::Full));
    registry.reload(&Limits { connections: 3, ..Limits::default() });
    assert!(registry.admit(who(1)).is_ok());
}

#[test]
fn addresses_of_one_network_of_ipv6_count_as_one() {
    let limits = Limits { connections_per_ip: 1, ..Limits::default() };
    let registry = Registry::new(limits);
    let admit = |peer: &str| {
        let peer = peer.parse().unwrap();
        registry.admit(Admission { peer, ..who(1) })
    };
    let first = admit("2001:db8::1").unwrap();
    assert_eq!(admit("2001:db8::ffff:0:2").unwrap_err(), NotAdmitted::Address);
    let _other = admit("2001:db8:0:1::1").unwrap();
    drop(first);
    assert!(admit("2001:db8::2").is_ok());
}

#[test]
fn sessions_are_listed_in_pages_in_the_order_they_came() {
    let registry = Registry::default();
    let sessions: Vec<_> = (0..5).map(|n| registry.admit(who(n)).unwrap()).collect();
    let ids: Vec<_> = sessions.iter().map(Session::id).collect();
    let page = |after, limit| -> Vec<_> {
        registry.list(after, limit).iter().map(|info| info.id).collect()
    };
    assert_eq!([page(None, 2), page(Some(ids[1]), 9)], [ids[..2].to_vec(), ids[2..].to_vec()]);
    assert!(registry.end(ids[0], &Close::KICKED) && sessions[0].info().is_ending());
    assert!(sessions[0].info().opened().abs_diff(crate::now()) < 60_000);
    drop(sessions);
    assert!(!registry.end(ids[0], &Close::KICKED));
}

#[tokio::test]
async fn a_kicked_session_hears_the_first_reason() {
    let registry = Registry::default();
    let session = registry.admit(who(1)).unwrap();
    assert_eq!(registry.kick(|info| info.protocol == "test", &Close::KICKED), 1);
    registry.kick(|_| true, &Close::SLOW);
    assert_eq!(session.ended().await, Close::KICKED);
}

#[tokio::test(start_paused = true)]
async fn draining_refuses_newcomers_and_ends_the_rest_over_the_window() {
    let registry = Registry::default();
    let sessions: Vec<_> = (0..4).map(|n| registry.admit(who(n)).unwrap()).collect();
    let begin = Instant::now();
    registry.drain(Duration::from_secs(4)).await;
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_eq!(registry.admit(who(9)).unwrap_err(), NotAdmitted::Draining);
    for session in &sessions {
        assert_eq!(session.ended().await, Close::SHUTDOWN);
    }
}

#[test]
fn a_user_at_its_share_keeps_out_nobody_else() {
    let registry = small();
    let _two = [(); 2].map(|()| registry.admit(user("ann")).unwrap());
    assert_eq!(registry.admit(user("ann")).unwrap_err(), NotAdmitted::Share);
    let _bob = registry.admit(user("bob")).unwrap();
}

#[tokio::test]
async fn the_oldest_client_without_a_token_makes_room_for_the_next() {
    let registry = small();
    let strangers: Vec<_> = (0..4).map(|n| registry.admit(stranger(n)).unwrap()).collect();
    let next = registry.admit(stranger(9)).unwrap();
    assert_eq!(strangers[0].ended().await, Close::CROWDED);
    assert!(strangers[1..].iter().all(|session| !session.info().is_ending()));
    assert_eq!(
        registry.identified(strangers[0].id(), &Holder::User("ann".into())),
        Err(NotAdmitted::Strangers),
        "it holds nothing any more"
    );
    registry.identified(next.id(), &Holder::User("ann".into())).unwrap();
    assert_eq!(next.holder(), Holder::User("ann".into()));
    // One has shown its token, so there is room for another.
    let _more = registry.admit(stranger(10)).unwrap();
    assert!(!strangers[1].info().is_ending());
    drop(strangers);
    assert_eq!(registry.count(), 2);
}

#[tokio::test]
async fn a_client_without_a_token_makes_room_for_a_user_when_everything_is_taken() {
    let registry = small();
    let stranger = registry.admit(stranger(1)).unwrap();
    let _users = ["a", "b", "c"].map(|name| [(); 2].map(|()| registry.admit(user(name)).unwrap()));
    let _last = registry.admit(user("d")).unwrap();
    let _one_more = registry.admit(user("d")).unwrap();
    assert_eq!(stranger.ended().await, Close::CROWDED);
    assert_eq!(registry.admit(user("e")).unwrap_err(), NotAdmitted::Full);
}

#[test]
fn a_session_that_is_identified_counts_for_its_user_within_the_share() {
    let registry = small();
    let _two = [(); 2].map(|()| registry.admit(user("ann")).unwrap());
    let third = registry.admit(stranger(1)).unwrap();
    let ann = Holder::User("ann".into());
    assert_eq!(registry.identified(third.id(), &ann), Err(NotAdmitted::Share));
    assert_eq!(third.holder(), Holder::stranger([127, 0, 0, 1].into()));
    registry.identified(third.id(), &Holder::User("bob".into())).unwrap();
}

#[test]
fn guests_leave_places_to_those_that_may_show_a_token() {
    let registry = small();
    let guests: Vec<_> = (0..3).map(|n| registry.admit(stranger(n)).unwrap()).collect();
    for guest in &guests {
        registry.identified(guest.id(), &guest.holder()).unwrap();
    }
    let fourth = registry.admit(stranger(4)).unwrap();
    assert_eq!(registry.identified(fourth.id(), &fourth.holder()), Err(NotAdmitted::Strangers));
    let fifth = registry.admit(stranger(5)).unwrap();
    assert!(fourth.info().is_ending() && guests.iter().all(|guest| !guest.info().is_ending()));
    registry.identified(fifth.id(), &Holder::User("ann".into())).unwrap();
    drop(guests);
    let sixth = registry.admit(stranger(6)).unwrap();
    registry.identified(sixth.id(), &sixth.holder()).unwrap();
}
