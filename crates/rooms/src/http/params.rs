//! The parameters of a query, and the conversation in a path.
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::{Uri, request::Parts};
use quadrille_store::Page;

use super::error::Error;
use crate::state::State;

/// The parameters of a query, in order. Unknown ones are ignored; of two with one name the first
/// counts.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

/// The conversation in a path. Anything but an id names none.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConversationPath(pub(super) i64);

// === impl Params ===

impl Params {
    pub(super) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter; an empty one counts as missing.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Error> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| digits(text).then(|| text.parse().unwrap_or(i64::MAX));
        let given = self.text(name).map(|text| number(text).ok_or(Error::Number(name)));
        given.transpose()
    }

    /// The limit of a list: at most that of the store, which is also the default.
    pub(super) fn limit(&self) -> Result<u32, Error> {
        let given = self.number("limit")?.unwrap_or(i64::MAX);
        if given == 0 {
            return Err(Error::Number("limit"));
        }
        Ok(u32::try_from(given).unwrap_or(Page::MAX).min(Page::MAX))
    }

    pub(super) fn page(&self) -> Result<Page, Error> {
        let offset = self.number("offset")?.unwrap_or_default();
        Ok(Page { limit: self.limit()?, offset: u32::try_from(offset).unwrap_or(u32::MAX) })
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(Self::of(&parts.uri))
    }
}

// === impl ConversationPath ===

impl FromRequestParts<Arc<State>> for ConversationPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        let id = Path::<i64>::from_request_parts(parts, state).await;
        id.ok().filter(|Path(id)| *id >= 0).map(|Path(id)| Self(id)).ok_or(Error::NoConversation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/a?{query}").parse().unwrap())
    }

    #[test]
    fn a_page_is_within_the_bounds_of_the_store() {
        let page = |query| params(query).page().ok().map(|it| (it.limit, it.offset));
        assert_eq!(page(""), Some((1000, 0)));
        assert_eq!(page("limit=7&offset=3"), Some((7, 3)));
        assert_eq!(page("limit=99999999999999999999&offset=99999999999"), Some((1000, u32::MAX)));
        for wrong in ["limit=0", "limit=-1", "limit=1e3", "offset=x", "limit=%2B5"] {
            assert_eq!(page(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_is_decoded_and_the_first_of_its_name_counts() {
        assert_eq!(params("q=a+%C3%A4&q=b").text("q"), Some("a ä"));
        assert_eq!(params("q=&p=1").text("q"), None);
    }
}
