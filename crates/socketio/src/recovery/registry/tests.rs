//! Which sockets can be resumed, by whom, and for how long.
use super::*;
use quadrille_core::{Admission, Holder, Registry};

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
fn socket(recovery: &Recovery, user: Option<&str>, topics: usize) -> Arc<ResumableSocket> {
    let (pid, connection) = (Pid(random::secret().into()), connection());
    let mut deliveries = DeliveryLog::new(None);
    for n in 0..topics {
        let at = Position { epoch: 1, offset: 1 };
        deliveries.followed(&topic(&n.to_string()), 2, Some(at));
    }
    let socket = Arc::new(ResumableSocket {
        pid: pid.clone(),
        sid: connection.id,
        user: user.map(Arc::from),
        connection,
        deliveries: Mutex::new(deliveries),
    });
    let entry = RecoveryEntry { socket: Arc::clone(&socket), lost: None };
    recovery.sockets().all.insert(pid, entry);
    socket
}

fn take(recovery: &Recovery, socket: &ResumableSocket, user: Option<&Arc<str>>) -> Option<Resumed> {
    recovery.take(&socket.pid, None, user)
}

fn is_known(recovery: &Recovery, socket: &ResumableSocket) -> bool {
    recovery.topics(&socket.pid, socket.user.as_ref()).is_some()
}

#[test]
fn only_its_user_resumes_a_socket_and_only_once() {
    let recovery = Recovery::new(KEEP);
    for user in [Some("7"), None] {
        let mine = socket(&recovery, user, 3);
        for other in [Some(Arc::from("8")), None, Some("7".into())] {
            if other.as_deref() != user {
                assert!(recovery.topics(&mine.pid, other.as_ref()).is_none());
                assert!(take(&recovery, &mine, other.as_ref()).is_none());
            }
        }
        let taken = take(&recovery, &mine, mine.user.as_ref()).unwrap();
        assert_eq!((taken.socket.sid, taken.points.len()), (mine.sid, 3));
        assert!(take(&recovery, &mine, mine.user.as_ref()).is_none());
    }
}

#[test]
fn a_connection_that_lost_its_socket_to_another_cannot_take_it_away() {
    let recovery = Recovery::new(KEEP);
    let old = socket(&recovery, None, 1);
    take(&recovery, &old, None).unwrap();
    let new = ResumableSocket {
        pid: old.pid.clone(),
        sid: old.sid,
        user: None,
        connection: connection(),
        deliveries: Mutex::default(),
    };
    let entry = RecoveryEntry { socket: Arc::new(new), lost: None };
    recovery.sockets().all.insert(old.pid.clone(), entry);
    recovery.sockets().lose(&old);
    assert_eq!(recovery.sockets().lost.len(), 0);
    assert!(is_known(&recovery, &old));
}

#[test]
fn an_offset_that_is_unknown_leaves_the_socket_as_it_is() {
    let recovery = Recovery::new(KEEP);
    let mine = socket(&recovery, None, 1);
    assert!(recovery.take(&mine.pid, Some("1-2 room:0"), None).is_none());
    assert!(take(&recovery, &mine, None).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_can_be_resumed_for_its_time_and_is_forgotten_then() {
    let recovery = Recovery::new(KEEP);
    let (stays, goes, returns) =
        (socket(&recovery, None, 1), socket(&recovery, None, 1), socket(&recovery, None, 1));
    recovery.sockets().lose(&goes);
    recovery.sockets().lose(&returns);
    tokio::time::advance(Duration::from_secs(59)).await;
    recovery.sweep();
    assert!(take(&recovery, &returns, None).is_some());
    assert!(is_known(&recovery, &goes));
    tokio::time::advance(Duration::from_secs(1)).await;
    // It is too late, though nothing was swept yet.
    assert!(!is_known(&recovery, &goes) && take(&recovery, &goes, None).is_none());
    recovery.sweep();
    let sockets = recovery.sockets();
    assert_eq!((sockets.all.len(), sockets.lost.len(), sockets.bytes), (1, 0, 0));
    assert!(sockets.all.contains_key(&stays.pid));
}

#[tokio::test(start_paused = true)]
async fn above_the_bound_the_one_lost_first_is_forgotten() {
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
    assert!(!known[0] && known[1..].iter().all(|known| *known));
    assert!(is_known(&recovery, &live));
}

#[test]
fn a_pid_is_not_printed() {
    let recovery = Recovery::new(KEEP);
    let mine = socket(&recovery, None, 1);
    let printed = format!("{recovery:?} {mine:?} {:?}", mine.pid);
    assert!(!printed.contains(&*mine.pid.0), "{printed}");
}
