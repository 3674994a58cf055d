//! Options that clients send with a question.
use std::sync::Arc;

/// Bytes of a level, at most.
const LEVEL: usize = 64;

/// Reads the level that a client asks for. An unusable one is ignored, as in the original server.
pub(crate) fn level(word: Option<String>) -> Option<Arc<str>> {
    let is_word = |level: &String| {
        !level.is_empty() && level.len() <= LEVEL && !level.contains(char::is_control)
    };
    word.filter(is_word).map(Arc::from)
}
