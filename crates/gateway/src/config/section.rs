//! The sections that belong to the gateway itself.
use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    #[serde(deserialize_with = "addresses")]
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) origins: Vec<String>,
    #[serde(with = "humantime_serde")]
    pub(crate) header_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_delay: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_window: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) grace: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![([127, 0, 0, 1], 8080).into()],
            origins: Vec::new(),
            header_timeout: Duration::from_secs(10),
            drain_delay: Duration::ZERO,
            drain_window: Duration::from_secs(2),
            grace: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Pretty }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// One line of text for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

fn addresses<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<SocketAddr>, D::Error> {
    let parse = |text: String| {
        text.parse().map_err(|_| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"IP:PORT as in 127.0.0.1:8080")
        })
    };
    Vec::<String>::deserialize(list)?.into_iter().map(parse).collect()
}
