//! Section `agents` of the configuration: the agents, and the bounds of the desk.
use std::{collections::BTreeMap, fmt, time::Duration};

use humantime_serde::Serde;
use quadrille_identity::Secret;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// Section `agents`: the desk's bounds, and a table for each agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The agent of a question that names none.
    pub default: String,
    /// Turns that run at once; more wait.
    pub max_running: usize,
    /// Turns that wait in one topic behind the one that runs; one more is refused.
    pub max_queued: usize,
    /// Turns that wait in all topics together; one more is refused.
    pub max_waiting: usize,
    /// Time that a turn may wait before it fails with `queue_timeout`.
    #[serde(with = "humantime_serde")]
    pub queue_timeout: Duration,
    /// Time after its end for which a turn can be asked about, and its key joined.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// Bytes of all turns that are kept after their end; above it, the turns that ended first are
    /// forgotten.
    pub kept_bytes: usize,
    pub orphans: Orphans,
    /// Time without a watcher after which [`Orphans::Cancel`] cancels.
    #[serde(with = "humantime_serde")]
    pub orphan_grace: Duration,
    /// The agents, by name.
    #[serde(flatten)]
    pub named: BTreeMap<String, Settings>,
}

/// The fate of a turn that no client watches or waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orphans {
    /// The turn goes on to its end: a client that comes back finds the reply.
    #[default]
    Finish,
    /// The turn is cancelled after `orphan_grace`.
    Cancel,
}

/// The dialect of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Cheshire Cat 1.x over its WebSocket.
    CheshireCat,
    /// AG-UI events over HTTP, as Cheshire Cat 2.x sends them.
    Agui,
    /// Any server with the `/chat/completions` of `OpenAI`.
    Openai,
    /// A POST that is answered by JSON or by server-sent events.
    Http,
    /// Built in: repeats the question.
    Echo,
}

/// Table `agents.NAME`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub kind: Kind,
    /// Address of the upstream; needed by every kind but `echo`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Credential presented to the upstream.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Timeout of connecting to the upstream.
    #[serde(default = "connect", with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Timeout of the first part of a reply.
    #[serde(default = "first_token", with = "humantime_serde")]
    pub first_token_timeout: Duration,
    /// Timeout of each further part.
    #[serde(default = "token", with = "humantime_serde")]
    pub token_timeout: Duration,
    /// Timeout of a reply as a whole.
    #[serde(default = "total", with = "humantime_serde")]
    pub total_timeout: Duration,
    /// Bytes of a reply. A longer one fails with `too_long`.
    #[serde(default = "max_reply", deserialize_with = "number")]
    pub max_reply: usize,
    /// `cheshire-cat`: time for which a connection that no turn uses is kept.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub idle_timeout: Option<Duration>,
    /// `cheshire-cat`: unused connections that are kept; above it, the one that has been idle for
    /// longest is closed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub max_idle: Option<usize>,
    /// `openai`: the model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// `openai`: the system prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// `openai`, `agui`: number of earlier turns of the topic that a question brings along.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub window: Option<usize>,
    /// `agui`: the format of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// `http`: the request's field for the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_field: Option<String>,
    /// `http`: the request's field for the user; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_field: Option<String>,
    /// `http`: the request's field for the conversation, which is the topic; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_field: Option<String>,
    /// `http`: an event's field with a piece of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_field: Option<String>,
    /// `http`: the field of an answer, or of the last event, with the whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_field: Option<String>,
    /// `openai`, `agui`, `http`: fields that are added to every request.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub body: Map<String, Value>,
}

/// The format of AG-UI messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A text, which every server of the protocol takes.
    Text,
    /// Blocks, of which one is a text, as Cheshire Cat 2 needs them.
    Blocks,
}

/// Reads a number, or a text that is one: variables of the environment have no type, and a named
/// agent has no default that would show it.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    struct Number;

    impl de::Visitor<'_> for Number {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number from 0 up")
        }

        fn visit_u64<E: de::Error>(self, given: u64) -> Result<usize, E> {
            let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(given), &self);
            given.try_into().map_err(wrong)
        }

        fn visit_i64<E: de::Error>(self, given: i64) -> Result<usize, E> {
            let wrong = |_| E::invalid_value(de::Unexpected::Signed(given), &self);
            given.try_into().map_err(wrong)
        }

        fn visit_str<E: de::Error>(self, given: &str) -> Result<usize, E> {
            given.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(given), &self))
        }
    }

    deserializer.deserialize_any(Number)
}

fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    number(deserializer).map(Some)
}

const fn connect() -> Duration {
    Duration::from_secs(5)
}

const fn first_token() -> Duration {
    Duration::from_mins(1)
}

const fn token() -> Duration {
    Duration::from_secs(30)
}

const fn total() -> Duration {
    Duration::from_mins(5)
}

const fn max_reply() -> usize {
    1 << 20
}

/// The longest duration that can be configured; adding much more to a clock may overflow.
const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

/// A setting of `agents` that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("agents.{key}: {expected}")]
pub struct BadConfig {
    /// Below the section.
    pub(crate) key: String,
    pub(crate) expected: String,
}

// === impl BadConfig ===

impl BadConfig {
    /// The whole key of the configuration.
    pub fn key(&self) -> String {
        format!("agents.{}", self.key)
    }

    /// The expectation that the value does not meet.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            default: "echo".to_owned(),
            max_running: 256,
            max_queued: 1000,
            max_waiting: 10_000,
            queue_timeout: Duration::from_mins(2),
            keep: Duration::from_mins(10),
            kept_bytes: 64 << 20,
            orphans: Orphans::Finish,
            orphan_grace: Duration::from_secs(30),
            named: [("echo".to_owned(), Settings::new(Kind::Echo))].into(),
        }
    }
}

impl Config {
    /// Checks the bounds, and for values that contradict each other.
    pub fn check(&self) -> Result<(), BadConfig> {
        let wrong = |key: &str, expected: String| Err(BadConfig { key: key.to_owned(), expected });
        if !self.named.contains_key(&self.default) {
            let names = self.named.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return wrong("default", format!("expected one of {names}, found {:?}", self.default));
        }
        if self.max_running == 0 {
            return wrong("max_running", "expected 1 or more, found 0".to_owned());
        }
        let durations = [
            ("queue_timeout", self.queue_timeout),
            ("keep", self.keep),
            ("orphan_grace", self.orphan_grace),
        ];
        let durations = durations.map(|(key, given)| (key.to_owned(), given));
        let agents = self.named.iter().flat_map(|(name, settings)| {
            let all = [
                ("connect_timeout", Some(settings.connect_timeout)),
                ("first_token_timeout", Some(settings.first_token_timeout)),
                ("token_timeout", Some(settings.token_timeout)),
                ("total_timeout", Some(settings.total_timeout)),
                ("idle_timeout", settings.idle_timeout),
            ];
            let given = all.into_iter().filter_map(|(key, given)| Some((key, given?)));
            given.map(move |(key, given)| (format!("{name}.{key}"), given))
        });
        for (key, given) in durations.into_iter().chain(agents) {
            if given.is_zero() || given > MAX_DURATION {
                return wrong(&key, "expected more than zero and at most \"365days\"".to_owned());
            }
        }
        match self.named.iter().find(|(_, settings)| settings.max_reply == 0) {
            Some((name, _)) => {
                wrong(&format!("{name}.max_reply"), "expected 1 or more, found 0".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// By hand, because a flattened table does not learn where its errors are.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Section;

        impl<'de> de::Visitor<'de> for Section {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
                let mut config = Config::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "default" => config.default = map.next_value()?,
                        "max_running" => config.max_running = map.next_value()?,
                        "max_queued" => config.max_queued = map.next_value()?,
                        "max_waiting" => config.max_waiting = map.next_value()?,
                        "queue_timeout" => config.queue_timeout = duration(&mut map)?,
                        "keep" => config.keep = duration(&mut map)?,
                        "kept_bytes" => config.kept_bytes = map.next_value()?,
                        "orphans" => config.orphans = map.next_value()?,
                        "orphan_grace" => config.orphan_grace = duration(&mut map)?,
                        _ => drop(config.named.insert(key, map.next_value()?)),
                    }
                }
                Ok(config)
            }
        }

        fn duration<'de, A: de::MapAccess<'de>>(map: &mut A) -> Result<Duration, A::Error> {
            map.next_value::<Serde<Duration>>().map(Serde::into_inner)
        }

        deserializer.deserialize_map(Section)
    }
}

// === impl Kind ===

/// The name in the configuration.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

// === impl Settings ===

impl Settings {
    /// An agent of `kind` with the defaults of all other keys.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            url: String::new(),
            token: Secret::default(),
            connect_timeout: connect(),
            first_token_timeout: first_token(),
            token_timeout: token(),
            total_timeout: total(),
            max_reply: max_reply(),
            idle_timeout: None,
            max_idle: None,
            model: String::new(),
            system: String::new(),
            window: None,
            content: None,
            message_field: None,
            user_field: None,
            session_field: None,
            token_field: None,
            reply_field: None,
            body: Map::new(),
        }
    }
}
