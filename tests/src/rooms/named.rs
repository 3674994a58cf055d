//! Named rooms and questions of one's own, where nobody signs in.
use serde_json::{Value, json};

use super::{Surroundings, TOKENS, of, text};
use crate::{
    Gateway,
    puppet::{Library, Page, Puppet, Way, data},
};

async fn page(gateway: &Gateway, library: Library, way: Way) -> Puppet {
    let mut page = Puppet::start(gateway, library, way, Page::Service);
    page.hear(&["status", "room_joined", "room_left", "new_message", "user_typing", "stats"]).await;
    page.hear(&["llm_token", "llm_complete", "ai_response", "broadcast_message", "error"]).await;
    let happened = page.connect(json!([]), &["status"]).await;
    let status = data(&happened, "status");
    assert_eq!(status["sid"], data(&happened, "connect")["id"]);
    assert_eq!(status["connected"], true);
    page
}

/// Takes a time in seconds out of `data`.
fn timed(mut data: Value) -> Value {
    let time = data["timestamp"].take().as_f64();
    assert!(time.is_some_and(|it| it > 1.7e9 && it < 1.7e10), "{data}");
    data
}

/// Two in a room talk; what one asks the model is answered to that one alone.
pub async fn named_rooms(library: Library, way: Way) {
    let around = Surroundings::new().await;
    let gateway = around.gateway(&[]).await;
    let mut ada = page(&gateway, library, way).await;
    let mut bob = page(&gateway, library, way).await;

    ada.call("joinRoom", json!(["den"])).await;
    assert_eq!(ada.expect("room_joined").await["user_count"], 1);
    bob.call("joinRoom", json!(["den"])).await;
    let joined = json!({"room": "den", "user_count": 2});
    assert_eq!(ada.expect("room_joined").await, joined);
    assert_eq!(bob.expect("room_joined").await["user_count"], 2);

    ada.call("sendMessage", json!(["ça va 😀", "den"])).await;
    let said =
        json!({"user": "Anonymous", "message": "ça va 😀", "room": "den", "timestamp": null});
    for page in [&mut ada, &mut bob] {
        assert_eq!(timed(page.expect("new_message").await), said);
    }
    ada.emit("typing", json!({"room": "den", "user_name": "Ada", "is_typing": true})).await;
    assert_eq!(bob.expect("user_typing").await, json!({"user": "Ada", "is_typing": true}));

    ada.call("requestLLM", json!(["Miau?"])).await;
    let happened = ada.all(&["llm_complete"]).await;
    let mut complete = timed(data(&happened, "llm_complete").clone());
    let turn = complete["turn"].take();
    let expected = json!({
        "message": "Response complete", "text": TOKENS.concat(), "turn": null, "timestamp": null,
    });
    assert_eq!(complete, expected);
    let mut tokens: Vec<_> = of(&happened, "llm_token").into_iter().cloned().collect();
    while text(&tokens.iter().collect::<Vec<_>>(), "token") != TOKENS.concat() {
        assert!(!library.is_ordered(), "{happened:?}");
        tokens.push(ada.expect("llm_token").await);
    }
    assert!(tokens.iter().all(|it| it["turn"] == turn));

    ada.emit("message", json!({"message": "/ai Miau?", "room": "den", "user_name": "Ada"})).await;
    let happened = ada.all(&["new_message", "ai_response"]).await;
    let expected = format!("AI Response:{}", TOKENS.concat());
    assert_eq!(data(&happened, "ai_response")["message"], expected);
    assert_eq!(timed(bob.expect("new_message").await)["message"], "/ai Miau?");

    bob.emit("broadcast", json!({"message": "to all"})).await;
    for page in [&mut ada, &mut bob] {
        let said = timed(page.expect("broadcast_message").await);
        assert_eq!(said, json!({"message": "to all", "timestamp": null}));
    }
    bob.call("emit", json!(["get_stats"])).await;
    let stats = json!({"active_users": 2, "rooms": {"den": 2}, "total_connections": 2});
    assert_eq!(bob.expect("stats").await, stats);
    ada.ask("leave_room", json!({"room": "den"})).await;
    assert_eq!(bob.expect("room_left").await, json!({"room": "den", "user_count": 1}));
    ada.expect_nothing().await;
    ada.end().await;
    bob.end().await;
}
