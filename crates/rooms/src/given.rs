//! What clients give along with a question.
use std::sync::Arc;

/// Bytes of the word for a level.
const LEVEL: usize = 64;

/// The level that a client asks for. One that no agent can mean is none: the original ignores those
/// that it does not know.
pub(crate) fn level(word: Option<String>) -> Option<Arc<str>> {
    let is_word =
        |it: &String| !it.is_empty() && it.len() <= LEVEL && !it.contains(char::is_control);
    word.filter(is_word).map(Arc::from)
}
