//! Tests of rooms for clients in any language, over any transport.
mod conversation;
mod ends;
mod named;
mod reconnects;
mod recovery;

use serde_json::Value;

pub use self::{
    conversation::{a_conversation, acknowledgements},
    ends::{a_kick, a_restart, refusals},
    named::named_rooms,
    reconnects::{fifty_reconnects, slow_reply},
    recovery::a_recovery,
};
use crate::{
    Gateway,
    database::Database,
    fake::{
        model::stream,
        upstream::{Script, Upstream},
    },
    puppet::{Happened, Puppet},
};

/// Services that outlive a gateway: its database, and the model that it asks.
#[derive(Debug)]
pub struct Surroundings {
    pub database: Database,
    pub model: Upstream,
    url: String,
}

/// Default answer of the model: with spaces at every border, and in pieces.
pub const TOKENS: [&str; 5] = ["Miaù", " ça va ", "\u{1F408}\u{200D}\u{2B1B}", " \n", "\u{1e}?"];

impl Surroundings {
    pub async fn new() -> Self {
        let model = Upstream::start(Script::sse(&stream(&TOKENS))).await;
        let url = model.url("/v1");
        Self { database: Database::new().await, model, url }
    }

    pub async fn gateway(&self, more: &[(&str, &str)]) -> Gateway {
        let settings = [
            self.database.setting(),
            // The client in Python waits for its last poll before it leaves.
            ("rooms.ping_interval", "1s"),
            ("agents.default", "gpt"),
            ("agents.gpt.kind", "openai"),
            ("agents.gpt.url", &self.url),
            ("agents.gpt.model", "m"),
        ];
        Gateway::start(&[&settings, more].concat()).await
    }
}

/// The events that a message in a conversation has.
const REPLY: [&str; 5] = [
    "new_message",
    "ai_thinking",
    "ai_response_chunk",
    "ai_response_complete",
    "ai_response_error",
];

/// A message and its reply, as a client was told of them.
#[derive(Debug)]
struct Reply {
    message: Value,
    complete: Value,
}

/// Waits for a message and its reply. Nothing else may happen meanwhile, and everything in order.
async fn reply(puppet: &mut Puppet) -> Reply {
    let mut all = Vec::new();
    let text = loop {
        all.push(puppet.next().await);
        let complete = of(&all, "ai_response_complete").pop();
        let text = text(&of(&all, "ai_response_chunk"), "chunk");
        // In Python the last event may come before the others.
        let is_whole = complete.is_some_and(|it| it["content"] == *text) && all.len() > 3;
        if is_whole || puppet.library.is_ordered() && complete.is_some() {
            break text;
        }
    };
    let mut names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    if !puppet.library.is_ordered() {
        names.sort_by_key(|name| REPLY.iter().position(|it| it == name));
    }
    names.dedup();
    assert_eq!(names, REPLY[..4], "{all:?}");
    let one = |name| of(&all, name).pop().cloned().expect("it is there");
    let (message, complete) = (one("new_message"), one("ai_response_complete"));
    assert_eq!(complete["content"], *text);
    for (_, data) in &all {
        assert_eq!(data["conversation_id"], message["conversation_id"]);
        assert_eq!(data["turn"], message["turn"]);
    }
    Reply { message, complete }
}

fn of<'a>(all: &'a [Happened], name: &str) -> Vec<&'a Value> {
    all.iter().filter(|(it, _)| it == name).map(|(_, data)| data).collect()
}

/// The text that pieces make, each of which says where it begins.
fn text(pieces: &[&Value], member: &str) -> String {
    let mut pieces = pieces.to_vec();
    pieces.sort_by_key(|it| it["start"].as_u64());
    pieces.iter().filter_map(|it| it[member].as_str()).collect()
}
