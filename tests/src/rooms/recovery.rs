//! A connection that is cut while others talk, and what the client makes of it by itself.
use serde_json::{Value, json};

use crate::{
    Gateway, Sio,
    puppet::{Library, Page, Puppet, Way, data},
};

/// Messages in each of two rooms while the connection is away, and while it comes and goes.
const MISSED: u64 = 20;
const QUICK: u64 = 200;

async fn talk(talker: &mut Sio, from: u64, count: u64) {
    for n in from..from + count {
        for room in ["den", "attic"] {
            talker.ask("message", &json!({"room": room, "message": n})).await;
        }
    }
}

/// The next thing of this name; only upgrades may come before, which come when they are done.
async fn until(page: &mut Puppet, expected: &str) -> Value {
    loop {
        let (name, event) = page.next().await;
        if name == expected {
            return event;
        }
        assert_eq!(name, "upgrade", "{event}");
    }
}

/// Nothing else happens than so many messages in each room, in order.
async fn hear(page: &mut Puppet, from: u64, count: u64) {
    let mut next = [("den", from), ("attic", from)];
    while next.iter().any(|(_, n)| *n < from + count) {
        let (name, event) = page.next().await;
        match name.as_str() {
            "new_message" => {
                let room = next.iter_mut().find(|(room, _)| event["room"] == *room);
                let (_, n) = room.expect("one of the rooms");
                assert_eq!(event["message"], *n, "{event}");
                *n += 1;
            }
            "connect" => assert_eq!(event["recovered"], true),
            _ => assert!(["disconnect", "status", "upgrade"].contains(&&*name), "{name} {event}"),
        }
    }
}

/// The official client is the same socket again without a word of the page, and has missed nothing.
pub async fn a_recovery(library: Library, way: Way) {
    let gateway = Gateway::start(&[("rooms.recovery", "1m")]).await;
    let mut talker = Sio::guest(&gateway).await;
    let mut page = Puppet::start(&gateway, library, way, Page::Service);
    page.hear(&["status", "new_message", "room_joined", "gap", "error"]).await;
    let first = page.connect(json!([]), &["status"]).await;
    let id = data(&first, "connect").clone();
    assert_eq!(id["recovered"], false);
    for room in ["den", "attic"] {
        page.call("joinRoom", json!([room])).await;
        page.expect("room_joined").await;
    }
    let mut said = 0;
    // Before it has heard anything, and after.
    for _ in 0..3 {
        page.call("cut", json!([])).await;
        until(&mut page, "disconnect").await;
        talk(&mut talker, said, MISSED).await;
        page.call("back", json!([])).await;
        let connected = until(&mut page, "connect").await;
        assert_eq!(connected, json!({"id": id["id"], "recovered": true}));
        hear(&mut page, said, MISSED).await;
        said += MISSED;
    }
    page.call("cut_every", json!(["new_message", 16])).await;
    tokio::join!(talk(&mut talker, said, QUICK), hear(&mut page, said, QUICK));
    let state: Value = page.call("state", json!([])).await;
    assert_eq!(state["active"], true);
}
