//! Sections of the gateway itself.
use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::address::ListenAddress;
use crate::proxies::Proxies;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) origins: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) trusted_proxies: Proxies,
    pub(crate) public_url: String,
    pub(crate) base_path: String,
    #[serde(with = "humantime_serde")]
    pub(crate) header_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) idle_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_delay: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_window: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) grace: Duration,
    /// Last, because it is a table.
    pub(crate) tls: Tls,
}

/// PEM files; empty without TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress::Plain(([127, 0, 0, 1], 8080).into())],
            origins: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: Proxies::default(),
            public_url: String::new(),
            base_path: String::new(),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            drain_delay: Duration::ZERO,
            drain_window: Duration::from_secs(2),
            grace: Duration::from_secs(10),
            tls: Tls::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Pretty }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Text for people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Export of traces.
#[cfg(feature = "otel")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OtelConfig {
    pub(crate) endpoint: String,
}

#[cfg(not(feature = "otel"))]
pub(crate) type OtelConfig = super::absent::Absent<super::absent::OtelFeature>;
