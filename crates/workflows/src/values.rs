//! Formulas in stored text files.
//!
//! A step writes cells unchanged, since the next step reads them. A spreadsheet program would execute
//! a cell that begins like a formula, so a download puts an apostrophe before each: they are added
//! while sending, and the key of the file holds their number.
use std::ops::Range;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};
use quadrille_store::files::Files;
use quadrille_tabular::Defuse;

/// Suffix of the key of such a file, after the number.
const SUFFIX: &str = ".values";

/// Makes a key for a file of `chat` with `formulas` cells that begin like a formula.
pub(crate) fn key(chat: &str, name: &str, formulas: u64) -> String {
    match formulas {
        0 => Files::key(chat, name),
        formulas => Files::key(chat, &format!("{formulas}{SUFFIX}")),
    }
}

/// Number of cells that get an apostrophe when the file is downloaded.
pub(crate) fn formulas(name: &str, key: &str) -> u64 {
    let last = key.rsplit('/').next().unwrap_or(key);
    let count = last.strip_suffix(SUFFIX).and_then(|count| count.parse().ok());
    // An upload may have a name with this suffix.
    let csv = name.rsplit_once('.').is_some_and(|(_, extension)| extension == "csv");
    count.filter(|_| csv).unwrap_or_default()
}

/// Progress of a download.
struct State<S> {
    file: S,
    /// `None` at the end of the file.
    defuse: Option<Defuse>,
    /// Bytes before the requested part, and in it.
    skip: u64,
    left: u64,
}

/// Streams `file`, or a part of it, with apostrophes before formulas.
pub(crate) fn defused<S, E>(
    file: S,
    part: Option<Range<u64>>,
) -> impl Stream<Item = Result<Bytes, E>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let part = part.unwrap_or(0..u64::MAX);
    let (skip, left) = (part.start, part.end.saturating_sub(part.start));
    let state = State { file, defuse: Some(Defuse::default()), skip, left };
    stream::unfold(state, |mut state| async move {
        loop {
            let mut out = Vec::new();
            let defuse = state.defuse.as_mut().filter(|_| state.left > 0)?;
            match state.file.next().await {
                Some(Ok(bytes)) => defuse.push(&bytes, &mut out),
                Some(Err(err)) => {
                    state.defuse = None;
                    return Some((Err(err), state));
                }
                None => {
                    state.defuse.take()?.finish(&mut out);
                }
            }
            let wanted = state.cut(out);
            if !wanted.is_empty() {
                return Some((Ok(wanted), state));
            }
        }
    })
}

impl<S> State<S> {
    /// Cuts the requested part out of the next bytes.
    fn cut(&mut self, bytes: Vec<u8>) -> Bytes {
        let fitting =
            |count: u64, len: usize| usize::try_from(count).unwrap_or(usize::MAX).min(len);
        let mut bytes = Bytes::from(bytes);
        let skipped = fitting(self.skip, bytes.len());
        self.skip -= skipped as u64;
        bytes.advance(skipped);
        bytes.truncate(fitting(self.left, bytes.len()));
        self.left -= bytes.len() as u64;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::TryStreamExt;

    use super::*;

    #[test]
    fn a_key_says_how_many_cells_get_an_apostrophe() {
        let marked = key("c", "x.csv", 17);
        assert_eq!((formulas("x.csv", &marked), formulas("x.csv", &key("c", "x.csv", 0))), (17, 0));
        // The name of an upload does not count.
        assert_eq!(formulas("5.values", &Files::key("c", "5.values")), 0);
    }

    #[tokio::test]
    async fn any_part_of_a_download_is_that_part_of_the_whole() {
        let pieces = ["a,b\n=1", ",@x\n-1,\"+A", "1\"\n"];
        let whole = "a,b\n'=1,'@x\n-1,\"'+A1\"\n";
        let file = || {
            let pieces = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
            Box::pin(stream::iter(pieces))
        };
        for start in 0..=whole.len() {
            for end in start..=whole.len() {
                let part = Some(start as u64..end as u64);
                let got: Vec<_> = defused(file(), part).try_collect().await.unwrap();
                assert_eq!(got.concat(), whole.as_bytes()[start..end], "{start}..{end}");
            }
        }
        let got: Vec<_> = defused(file(), None).try_collect().await.unwrap();
        assert_eq!(got.concat(), whole.as_bytes());
    }
}
