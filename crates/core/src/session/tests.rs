//! Who is admitted, and who is ended.
use super::*;

fn who(last: u8) -> Admission {
    Admission { protocol: "test", user: None, peer: [127, 0, 0, last].into() }
}

#[test]
fn each_limit_refuses_with_its_own_reason_and_a_dropped_session_gives_its_place_back() {
    let limits = Limits { connections: 3, connections_per_ip: 2, ..Limits::default() };
    let registry = Registry::new(limits);
    let first = registry.admit(who(1)).unwrap();
    let _second = registry.admit(who(1)).unwrap();
    assert_eq!(registry.admit(who(1)).unwrap_err(), Refused::Address);
    let _third = registry.admit(who(2)).unwrap();
    assert_eq!(registry.admit(who(3)).unwrap_err(), Refused::Full);
    drop(first);
    assert!(registry.admit(who(1)).is_ok());
    assert_eq!(registry.count(), 2);
    registry.reload(&Limits { connections: 1, ..Limits::default() });
    assert_eq!((registry.count(), registry.admit(who(4)).unwrap_err()), (2, Refused::Full));
    registry.reload(&Limits { connections: 3, ..Limits::default() });
    assert!(registry.admit(who(1)).is_ok());
}

#[test]
fn addresses_of_one_network_of_ipv6_count_as_one() {
    let limits = Limits { connections_per_ip: 1, ..Limits::default() };
    let registry = Registry::new(limits);
    let admit = |peer: &str| {
        let peer = peer.parse().unwrap();
        registry.admit(Admission { protocol: "test", user: None, peer })
    };
    let first = admit("2001:db8::1").unwrap();
    assert_eq!(admit("2001:db8::ffff:0:2").unwrap_err(), Refused::Address);
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
    assert_eq!(registry.admit(who(9)).unwrap_err(), Refused::Draining);
    for session in &sessions {
        assert_eq!(session.ended().await, Close::SHUTDOWN);
    }
}
