//! Every recorded stream is read the same wherever it is cut.
use e2e::fake::corpus::{End, Recording, recordings};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{fuzz::play as play_as, *};

/// [`play_as`] a stream that ends like this.
fn play(dialect: &str, pieces: &[&[u8]], end: End) -> fuzz::Heard {
    play_as(dialect, pieces, matches!(end, End::Cut | End::Short))
}

/// The recorded streams of every dialect, without those that are long.
fn streams() -> Vec<(&'static str, Recording)> {
    let of = |dialect: &'static str| {
        recordings(dialect).into_iter().map(move |recording| (dialect, recording))
    };
    let all = ["openai", "agui", "http"].into_iter().flat_map(of);
    let is_stream = |recording: &Recording| !recording.body.trim_ascii().starts_with(b"{");
    all.filter(|(_, recording)| is_stream(recording) && recording.body.len() < 10_000).collect()
}

#[test]
fn a_stream_is_the_same_wherever_it_is_cut_in_two() {
    for (dialect, it) in streams() {
        let end = it.expected.served.end;
        let whole = play(dialect, &[&it.body], end);
        for at in 0..=it.body.len() {
            let (a, b) = it.body.split_at(at);
            assert_eq!(play(dialect, &[a, b], end), whole, "{dialect}/{} cut at {at}", it.name);
        }
        let bytes: Vec<_> = it.body.chunks(1).collect();
        assert_eq!(play(dialect, &bytes, end), whole, "{dialect}/{} byte by byte", it.name);
    }
}

proptest! {
    #[test]
    fn a_stream_is_the_same_in_any_pieces(
        it in select(streams()),
        sizes in vec(0_usize..40, 1..40),
    ) {
        let (dialect, Recording { body, expected, name }) = &it;
        let (mut rest, mut pieces) = (&**body, Vec::new());
        for size in sizes.iter().cycle().take(body.len() + 40) {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let end = expected.served.end;
        prop_assert_eq!(play(dialect, &pieces, end), play(dialect, &[body], end), "{}", name);
    }

    /// A stream that is cut off counts as complete only if it says that it is.
    #[test]
    fn a_stream_that_breaks_off_is_complete_only_if_it_says_so(
        it in select(streams()),
        at in 0_usize..10_000,
    ) {
        let (dialect, Recording { body, .. }) = &it;
        let begin = &body[..at.min(body.len())];
        let (parts, failed) = play(dialect, &[begin], End::Cut);
        let told = String::from_utf8_lossy(begin);
        let ends = ["[DONE]", "\"finish_reason\"", "RUN_FINISHED", "full_response", "event: end"];
        let says_so = ends.iter().any(|word| told.contains(word));
        prop_assert!(failed.is_some() || says_so, "{}", told);
        let is_ended = parts.iter().any(|part| matches!(part, Part::End(_)));
        prop_assert_eq!(is_ended, failed.is_none());
    }
}
