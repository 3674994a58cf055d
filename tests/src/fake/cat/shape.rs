//! The shapes of a reply from 1.0 to 1.9, and what a second connection of a user does.
use serde_json::{Value, json};

/// A version after which something changed on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V1_0,
    V1_4,
    /// Closes the earlier connection of a user; goes on after an error.
    V1_6,
    /// `why` has the interactions with models, vectors included.
    V1_7,
    /// The reply is `text`, `content` and `message`.
    V1_8,
    /// Sends everything to the newest connection of a user.
    V1_9,
}

// === impl Version ===

impl Version {
    pub const ALL: [Self; 6] =
        [Self::V1_0, Self::V1_4, Self::V1_6, Self::V1_7, Self::V1_8, Self::V1_9];

    pub(super) fn chat(self, user: &str, input: &str, reply: &str) -> Value {
        let memory = json!({
            "page_content": "Alice was beginning to get very tired",
            "metadata": {"source": user, "when": 1_700_000_000.25},
            "type": "Document",
            "score": 0.81,
            "id": "3f1c",
        });
        let mut why = json!({
            "input": input,
            "intermediate_steps": [],
            "memory": {"episodic": [memory], "declarative": [], "procedural": []},
        });
        if self >= Self::V1_7 {
            let vector: Vec<_> = (0..768).map(|n| f64::from(n) / 768.0).collect();
            why["model_interactions"] = json!([{
                "model_type": "embedder",
                "source": "recall",
                "prompt": [input],
                "input_tokens": 3,
                "started_at": 1_700_000_000.5,
                "reply": vector,
            }]);
        }
        let mut chat = json!({"type": "chat", "user_id": user, "content": reply, "why": why});
        if self >= Self::V1_8 {
            chat["text"] = reply.into();
            chat["who"] = "AI".into();
            chat["when"] = json!(1_700_000_001.75);
            chat["image"] = Value::Null;
            chat["audio"] = Value::Null;
            chat["why"]["agent_output"] = json!({"output": reply, "return_direct": false});
        }
        if self == Self::V1_8 {
            chat["message"] = reply.into();
        }
        chat
    }

    pub(super) fn closes_the_earlier(self) -> bool {
        self >= Self::V1_6 && self < Self::V1_9
    }

    pub(super) fn sends_to_the_newest(self) -> bool {
        self == Self::V1_9
    }

    pub(super) fn ends_at_an_error(self) -> bool {
        self < Self::V1_6
    }
}
