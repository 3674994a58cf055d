//! Parameters of an address: those of its query, and the topic in its path.
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use quadrille_core::{Position, Topic};

use super::{Error, limits::MAX_LISTED};

/// Entries that an answer lists if no limit is given.
const DEFAULT_LISTED: usize = 100;

/// The parameters of a query, in order, decoded. Unknown ones are ignored.
#[derive(Debug)]
pub(crate) struct QueryParams(Vec<(String, String)>);

/// The topic in a path.
#[derive(Debug)]
pub(crate) struct PathTopic(pub(crate) Topic);

// === impl QueryParams ===

impl QueryParams {
    pub(crate) fn parse(query: &str) -> Result<Self, Error> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that may be given once.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, Error> {
        let mut given = self.all(name);
        match (given.next(), given.next()) {
            (given, None) => Ok(given),
            _ => Err(Error::Parameter { name, expected: "give it once" }),
        }
    }

    pub(crate) fn limit(&self) -> Result<usize, Error> {
        let Some(given) = self.one("limit")? else { return Ok(DEFAULT_LISTED) };
        let number = given.bytes().all(|byte| byte.is_ascii_digit()).then(|| given.parse().ok());
        number.flatten().filter(|limit| (1..=MAX_LISTED).contains(limit)).ok_or(Error::Limit)
    }

    pub(crate) fn since(&self) -> Result<Option<Position>, Error> {
        let given = self.one("since")?.map(str::parse).transpose();
        given.map_err(|_| Error::Position)
    }
}

/// Decodes as in forms: a plus sign is a space.
fn decoded(text: &str) -> Result<String, Error> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(String::from).map_err(|_| Error::Encoding)
}

impl<S: Sync> FromRequestParts<S> for QueryParams {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

// === impl PathTopic ===

impl<S: Send + Sync> FromRequestParts<S> for PathTopic {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = path.map_err(|_| Error::Encoding)?;
        Ok(Self(Topic::from_channel(&name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let query = QueryParams::parse("topic=a+b&&topic=%C3%A4%2B&since=1-2&flag&x=1=2").unwrap();
        let topics: Vec<_> = query.all("topic").collect();
        assert_eq!(topics, ["a b", "ä+"]);
        assert_eq!(query.since().unwrap(), Some(Position { epoch: 1, offset: 2 }));
        assert_eq!((query.one("flag").unwrap(), query.one("x").unwrap()), (Some(""), Some("1=2")));
        assert!(query.one("topic").is_err() && QueryParams::parse("topic=%FF").is_err());
    }

    #[test]
    fn a_limit_is_a_number_within_its_bounds() {
        let limit = |query| QueryParams::parse(query).unwrap().limit().ok();
        let given = ["", "limit=1", "limit=1000", "limit=0", "limit=1001", "limit=%2B5", "limit="];
        assert_eq!(given.map(limit), [Some(100), Some(1), Some(1000), None, None, None, None]);
    }
}
