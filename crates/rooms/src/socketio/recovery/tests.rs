//! Which sockets can be gone on with, by whom, and for how long.
use quadrille_core::{Admission, Holder, Registry};
use serde_json::json;

use super::*;

const KEEP: Duration = Duration::from_mins(1);

fn topic(name: &str) -> Topic {
    Topic::new("room", name).unwrap()
}

fn connection() -> Arc<SessionInfo> {
    let peer = [127, 0, 0, 1].into();
    let holder = Holder::Program;
    let who = Admission { protocol: "test", user: None, holder, peer };
    let session = Registry::default().admit(who);
    Arc::clone(session.unwrap().info())
}

/// A socket of `user`, which follows `topics` topics.
fn socket(recovery: &Recovery, user: Option<&str>, topics: usize) -> Arc<Socket> {
    let (pid, connection) = (Pid(wire::secret().into()), connection());
    let mut trail = Trail::new(None);
    for n in 0..topics {
        let at = Position { epoch: 1, offset: 1 };
        trail.followed(&topic(&n.to_string()), 2, Some(at));
    }
    let socket = Arc::new(Socket {
        pid: pid.clone(),
        sid: connection.id,
        user: user.map(Arc::from),
        connection,
        trail: Mutex::new(trail),
    });
    let entry = Entry { socket: Arc::clone(&socket), lost: None };
    recovery.sockets().all.insert(pid, entry);
    socket
}

fn back(socket: &Socket) -> Back {
    Back::of(&json!(*socket.pid.0), &json!(null)).unwrap()
}

fn is_known(recovery: &Recovery, socket: &Socket) -> bool {
    recovery.topics(&back(socket), socket.user.as_ref()).is_some()
}

#[test]
fn only_its_user_goes_on_with_a_socket_and_only_once() {
    let recovery = Recovery::new(KEEP);
    for user in [Some("7"), None] {
        let mine = socket(&recovery, user, 3);
        let back = back(&mine);
        for other in [Some(Arc::from("8")), None, Some("7".into())] {
            if other.as_deref() != user {
                assert!(recovery.topics(&back, other.as_ref()).is_none());
                assert!(recovery.take(&back, other.as_ref()).is_none());
            }
        }
        let taken = recovery.take(&back, mine.user.as_ref()).unwrap();
        assert_eq!((taken.socket.sid, taken.places.len()), (mine.sid, 3));
        assert!(recovery.take(&back, mine.user.as_ref()).is_none());
    }
}

#[test]
fn a_connection_that_lost_its_socket_to_another_cannot_take_it_away() {
    let recovery = Recovery::new(KEEP);
    let old = socket(&recovery, None, 1);
    recovery.take(&back(&old), None).unwrap();
    let new = Socket {
        pid: old.pid.clone(),
        sid: old.sid,
        user: None,
        connection: connection(),
        trail: Mutex::default(),
    };
    let entry = Entry { socket: Arc::new(new), lost: None };
    recovery.sockets().all.insert(old.pid.clone(), entry);
    recovery.sockets().lose(&old);
    assert_eq!(recovery.sockets().lost.len(), 0);
    assert!(is_known(&recovery, &old));
}

#[test]
fn an_offset_that_is_unknown_leaves_the_socket_as_it_is() {
    let recovery = Recovery::new(KEEP);
    let mine = socket(&recovery, None, 1);
    let strange = Back::of(&json!(*mine.pid.0), &json!("1-2 room:0")).unwrap();
    assert!(recovery.take(&strange, None).is_none());
    assert!(recovery.take(&back(&mine), None).is_some());
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_connection_may_come_back_for_so_long_and_is_forgotten_then() {
    let recovery = Recovery::new(KEEP);
    let (stays, goes, returns) =
        (socket(&recovery, None, 1), socket(&recovery, None, 1), socket(&recovery, None, 1));
    recovery.sockets().lose(&goes);
    recovery.sockets().lose(&returns);
    tokio::time::advance(Duration::from_secs(59)).await;
    recovery.sweep();
    assert!(recovery.take(&back(&returns), None).is_some());
    assert!(is_known(&recovery, &goes));
    tokio::time::advance(Duration::from_secs(1)).await;
    // It is too late even if nobody has looked for those who are late.
    assert!(!is_known(&recovery, &goes) && recovery.take(&back(&goes), None).is_none());
    recovery.sweep();
    let sockets = recovery.sockets();
    assert_eq!((sockets.all.len(), sockets.lost.len(), sockets.bytes), (1, 0, 0));
    assert!(sockets.all.contains_key(&stays.pid));
}

#[tokio::test(start_paused = true)]
async fn above_the_bound_who_was_lost_first_is_forgotten() {
    let recovery = Recovery::new(KEEP);
    let live = socket(&recovery, None, 1);
    let mut lost = Vec::new();
    while recovery.sockets().all.len() == lost.len() + 1 {
        let one = socket(&recovery, None, 1000);
        recovery.sockets().lose(&one);
        lost.push(one);
        tokio::time::advance(Duration::from_micros(1)).await;
    }
    assert!(recovery.sockets().bytes <= RECOVERY_BYTES && lost.len() > 100, "{}", lost.len());
    let known: Vec<_> = lost.iter().map(|one| is_known(&recovery, one)).collect();
    assert!(!known[0] && known[1..].iter().all(|it| *it));
    assert!(is_known(&recovery, &live));
}

#[test]
fn a_pid_is_not_printed() {
    let recovery = Recovery::new(KEEP);
    let mine = socket(&recovery, None, 1);
    let printed = format!("{recovery:?} {mine:?} {:?}", back(&mine));
    assert!(!printed.contains(&*mine.pid.0), "{printed}");
}

#[test]
fn members_that_are_somebody_elses_are_not_of_one_who_comes_back() {
    let long = "x".repeat(1000);
    for (pid, offset) in [
        (json!(null), json!(null)),
        (json!(7), json!("1-1 room:a")),
        (json!(long), json!(null)),
        (json!("p"), json!(5)),
        (json!("p"), json!(long)),
    ] {
        assert!(Back::of(&pid, &offset).is_none(), "{pid} {offset}");
    }
}
