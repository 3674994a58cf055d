//! The four forms of a broker command, and of its answer.
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Envelope,
    Action,
    Type,
    FlatType,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Envelope, Self::Action, Self::Type, Self::FlatType];

    /// A command; `fields` is an object.
    pub fn command(self, verb: &str, fields: Value) -> Value {
        match self {
            Self::Envelope => {
                json!({"channel": "subscription", "payload": merge(json!({"action": verb}), fields)})
            }
            Self::Action => merge(json!({"action": verb}), fields),
            Self::Type => json!({"type": verb, "payload": fields}),
            Self::FlatType => merge(json!({"type": verb}), fields),
        }
    }

    /// The answer to a command. Acknowledgements in the two `type` forms repeat the verb as
    /// `message`, as the first revision of the protocol did. Without an envelope the channel has
    /// another name, since pages take what has theirs at the top for a record.
    pub fn answer(self, verb: &str, mut fields: Value) -> Value {
        if let (Self::Action | Self::FlatType, Some(members)) = (self, fields.as_object_mut())
            && let Some(channel) = members.remove("channel")
        {
            members.insert("channel_name".to_owned(), channel);
        }
        let said = matches!(verb, "subscribed" | "unsubscribed");
        match self {
            Self::Type | Self::FlatType if said => {
                self.command(verb, merge(json!({"message": verb}), fields))
            }
            _ => self.command(verb, fields),
        }
    }

    /// The object of an answer that holds its fields.
    pub fn body(self, answer: &Value) -> &Value {
        match self {
            Self::Envelope | Self::Type => &answer["payload"],
            Self::Action | Self::FlatType => answer,
        }
    }

    /// `position` of an answer.
    pub fn position(self, answer: &Value) -> String {
        let position = self.body(answer)["position"].as_str();
        position.unwrap_or_else(|| panic!("no position in {answer}")).to_owned()
    }
}

fn merge(mut into: Value, fields: Value) -> Value {
    let (Some(object), Value::Object(fields)) = (into.as_object_mut(), fields) else {
        panic!("both are objects");
    };
    object.extend(fields);
    into
}
