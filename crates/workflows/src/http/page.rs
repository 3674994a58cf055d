//! Paging of lists.
use std::collections::HashMap;

use quadrille_store::Page;

use super::error::Error;

/// Reads `limit`, 100 by default, and `offset`.
pub(super) fn page(query: &HashMap<String, String>) -> Result<Page, Error> {
    let number = |name: &str, or: u32| match query.get(name).map(String::as_str) {
        None | Some("") => Ok(or),
        Some(text) => text
            .parse()
            .map_err(|_| Error::Invalid(format!("{name} must be a whole number, found {text:?}"))),
    };
    Ok(Page { limit: number("limit", 100)?, offset: number("offset", 0)? })
}
