//! What the fuzz targets demand of the readers.
use crate::dialect::reply::fuzz::play;

/// A stream in the dialect that its first byte says is read the same whole, in two pieces and byte by
/// byte; and whatever is in it, it is read.
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
