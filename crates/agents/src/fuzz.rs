//! The invariants that the fuzz targets check in the readers.
use crate::dialect::reply::fuzz::play;

/// Checks that a stream, in the dialect named by its first byte, is read the same whole, in two
/// pieces and byte by byte, and that reading it never panics.
pub fn answers(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let dialect = match first {
        b'o' => "openai",
        b'a' => "agui",
        _ => "http",
    };
    for is_cut in [false, true] {
        let whole = play(dialect, &[body], is_cut);
        let (a, b) = body.split_at(body.len() / 2);
        assert_eq!(play(dialect, &[a, b], is_cut), whole, "in two pieces");
        let bytes: Vec<_> = body.chunks(1).collect();
        assert_eq!(play(dialect, &bytes, is_cut), whole, "byte by byte");
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_that_is_like_the_seeds_breaks_a_reader() {
        replay::replay("answers", answers);
    }
}
