//! Connections that are cut again and again while a reply is streamed.
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Surroundings, of, text};
use crate::{
    fake::{
        model::{DONE, delta, finish},
        upstream::{Script, Step},
    },
    puppet::{Happened, Library, Page, Puppet, Way},
    token::{JWT, token},
};

/// Times that each client loses its connection, and events after each of which it does.
const CUTS: usize = 50;
const EVERY: usize = 3;

/// Tokens of the reply, and the time between them: more than become one event.
const TOKENS: u32 = 420;
const PAUSE: Duration = Duration::from_millis(25);

/// A reply that is longer than one event, and takes its time.
pub fn slow_reply() -> Script {
    let token = |script: Script, n: u32| {
        let token = delta(&json!({"content": format!("Wort {n} – ça va 😀. ")}));
        script.chunk(&token).then(Step::Wait(PAUSE))
    };
    let end = finish("stop") + DONE;
    (0..TOKENS).fold(Script::stream(), token).chunk(&end).then(Step::End)
}

/// Nobody who loses the connection over and over loses an event, sees one twice, or in another order
/// than everybody else.
pub async fn fifty_reconnects(libraries: &[Library]) {
    let around = Surroundings::new().await;
    around.model.play(slow_reply());
    let id = around.database.conversation("7").await;
    let gateway = around.gateway(&JWT).await;
    let token = token(json!({"sub": "7"}));

    let mut readers = JoinSet::new();
    for (&library, way) in libraries.iter().flat_map(|it| Way::ALL.map(|way| (it, way))) {
        let mut page = Puppet::start(&gateway, library, way, Page::Manager);
        page.call("follow", json!([id, EVERY, CUTS])).await;
        page.call("connect", json!([token])).await;
        page.all(&["following"]).await;
        readers.spawn(async move { ((library, way), read(&mut page).await) });
    }
    let mut writer = Puppet::start(&gateway, Library::Js, Way::WebSocket, Page::Manager);
    writer.connect(json!([token]), &[]).await;
    writer.ask("send_message", json!({"message": "Erzähl!", "conversation_id": id})).await;

    let seen = readers.join_all().await;
    let stored = around.database.messages(id).await;
    let (_, first) = &seen[0];
    let chunks = of(first, "ai_response_chunk");
    assert_eq!(text(&chunks, "chunk"), stored[1].content);
    assert_eq!(stored[1].content.matches("Wort").count(), TOKENS as usize);
    for (who, events) in &seen {
        let positions: Vec<_> = events.iter().map(|(_, data)| position(data)).collect();
        assert!(
            positions.windows(2).all(|it| it[1] == (it[0].0, it[0].1 + 1)),
            "{who:?}: {positions:?}"
        );
        assert!(events == first, "{who:?} sees what {:?} sees", seen[0].0);
    }
}

/// Reads the events of the conversation, to the end of the reply.
async fn read(page: &mut Puppet) -> Vec<Happened> {
    let happened = page.all(&["ai_response_complete"]).await;
    let cuts = of(&happened, "disconnect").len();
    assert_eq!(cuts, CUTS, "the reply is long enough");
    happened.into_iter().filter(|(_, data)| data["position"].is_string()).collect()
}

/// Epoch and offset of an event.
fn position(data: &Value) -> (&str, u64) {
    let position = data["position"].as_str().and_then(|it| it.split_once('-'));
    let (epoch, offset) = position.expect("epoch-offset");
    (epoch, offset.parse().expect("a number"))
}
