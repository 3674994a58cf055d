//! Addresses of listeners: `IP:PORT`, `https://IP:PORT` or `unix:/PATH`.
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Upper bound on the path of a unix socket on Linux, in bytes: `sun_path` of unix(7) without its NUL.
const LONGEST: usize = 107;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Plain(SocketAddr),
    /// With TLS.
    Tls(SocketAddr),
    Unix(PathBuf),
}

/// The text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadAddress;

const EXPECTED: &str = "IP:PORT as in 127.0.0.1:8080, https://IP:PORT, or unix:/PATH";

impl ListenAddress {
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Plain(at) | Self::Tls(at) => at.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let socket = |text: &str| text.parse().map_err(|_| BadAddress);
        if let Some(path) = text.strip_prefix("unix:") {
            let good = Path::new(path).is_absolute() && path.len() <= LONGEST;
            return if good { Ok(Self::Unix(path.into())) } else { Err(BadAddress) };
        }
        match text.strip_prefix("https://") {
            Some(text) => socket(text).map(Self::Tls),
            None => socket(text).map(Self::Plain),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(at) => at.fmt(f),
            Self::Tls(at) => write!(f, "https://{at}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|BadAddress| de::Error::invalid_value(de::Unexpected::Str(&text), &EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_was_read_and_nothing_else_is_one() {
        let long = format!("unix:/{}", "x".repeat(LONGEST - 1));
        let good = ["127.0.0.1:80", "https://[::1]:443", "unix:/run/a b.sock", &long];
        for text in good {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        let longer = format!("{long}x");
        let bad = ["", "80", "localhost:80", "https://a:1", "unix:", "unix:run/a.sock", &longer];
        for text in bad {
            assert_eq!(text.parse::<ListenAddress>(), Err(BadAddress), "{text}");
        }
    }
}
