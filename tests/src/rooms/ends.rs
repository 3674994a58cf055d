//! How connections end, and whether clients come back.
use jsonwebtoken::Header;
use serde_json::{Value, json};

use super::{REPLY, Surroundings, TOKENS, reply};
use crate::{
    Gateway, eventually, http,
    puppet::{Library, Page, Puppet, Way, data},
    token::{JWT, now, sign, token},
};

/// Connections that there were, and that there are.
async fn connections(gateway: &Gateway) -> (u64, u64) {
    let metrics = gateway.metrics().await;
    let sum = |name| metrics.sum(name, &[("protocol", "rooms")]);
    (sum("quadrille_connections_total"), sum("quadrille_connections"))
}

/// Waits until no connection is left; there were `so_many`.
async fn all_gone(gateway: &Gateway, so_many: u64) {
    let look = async || (connections(gateway).await == (so_many, 0)).then_some(());
    eventually("the clients to be gone", look).await;
}

/// A refused client is told the reason, and does not reconnect.
pub async fn refusals(library: Library, way: Way) {
    // Some clients that poll just leave.
    let impatient = [("rooms.ping_interval", "1s"), ("rooms.ping_timeout", "1s")];
    let gateway = Gateway::start(&[&JWT[..], &impatient].concat()).await;
    let forged = sign(&Header::default(), json!({"sub": "7"}), b"another secret, as long as that");
    let past = token(json!({"sub": "7", "exp": now() - 60}));
    let cases = [
        (Value::Null, "Authentication token required"),
        (json!(""), "Authentication token required"),
        (json!("rubbish"), "Invalid token"),
        (json!(forged), "Invalid token"),
        (json!(past), "Invalid token"),
    ];
    let mut refused = Vec::new();
    for (token, message) in &cases {
        let mut page = Puppet::start(&gateway, library, way, Page::Manager);
        page.hear(&["connected", "status", "error"]).await;
        page.call("connect", json!([token])).await;
        let told = page.all(&["connect_error"]).await;
        let expected = json!({"message": message, "active": false});
        assert_eq!(*data(&told, "connect_error"), expected, "{token}");
        // It may have a WebSocket before it has an answer.
        assert!(told.iter().all(|(name, _)| ["upgrade", "connect_error"].contains(&&**name)));
        refused.push(page);
    }
    all_gone(&gateway, cases.len() as u64).await;
    for mut page in refused {
        let state = page.call("state", json!([])).await;
        assert_eq!(state, json!({"active": false, "connected": false}));
    }
    assert_eq!(connections(&gateway).await, (cases.len() as u64, 0));
}

/// A client that the operator disconnects does not reconnect.
pub async fn a_kick(library: Library, way: Way) {
    let gateway = Gateway::start(&[]).await;
    let mut page = Puppet::start(&gateway, library, way, Page::Manager);
    let happened = page.connect(json!([null]), &[]).await;
    let sid = happened.iter().find_map(|(_, data)| data["id"].as_str()).expect("an id");
    let path = format!("/api/v1/sessions/{sid}");
    let ended = http::request(gateway.address(), "DELETE", &path, &[]).await;
    assert_eq!(ended.expect("an answer").status, 204);
    assert_eq!(page.expect("disconnect").await["reason"], library.sent_away());
    all_gone(&gateway, 1).await;
    let state = page.call("state", json!([])).await;
    assert_eq!(state, json!({"active": false, "connected": false}));
    let ended =
        gateway.metrics().await.sum("quadrille_connections_ended_total", &[("code", "3503")]);
    assert_eq!(ended, 1);
}

/// Reason that a client reports after its server went away. A client that polls finds no session;
/// the client in Python reports the same in both cases.
fn lost(library: Library, way: Way) -> &'static str {
    if library == Library::Python || way == Way::Polling {
        "transport error"
    } else {
        "transport close"
    }
}

/// A stop is no reason to stay away: who was there is there again, and goes on.
pub async fn a_restart(library: Library, way: Way) {
    let around = Surroundings::new().await;
    let id = around.database.conversation("7").await;
    let settings = [JWT[0], JWT[1], ("server.drain_window", "0s")];
    let first = around.gateway(&settings).await;
    let mut page = Puppet::start(&first, library, way, Page::Manager);
    page.hear(&["joined_room"]).await;
    page.hear(&REPLY).await;
    page.connect(json!([token(json!({"sub": "7"}))]), &[]).await;
    page.call("joinRoom", json!([id])).await;
    page.expect("joined_room").await;

    let address = first.address().to_string();
    assert_eq!(first.stop().await.code, Some(0));
    assert_eq!(page.expect("disconnect").await["reason"], lost(library, way));
    let second = around.gateway(&[&settings[..], &[("server.listen", &address)]].concat()).await;
    page.connected(&[]).await;
    page.call("joinRoom", json!([id])).await;
    page.expect("joined_room").await;
    page.call("sendMessage", json!(["Noch da?", id, 7])).await;
    assert_eq!(reply(&mut page).await.complete["content"], TOKENS.concat());
    page.end().await;
    all_gone(&second, 1).await;
}
