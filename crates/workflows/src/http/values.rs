//! Results that hold cells as they are, and how people get them.
//!
//! A step writes the values of a text file as they are, since the next step reads them. A spreadsheet
//! program would run some of them, so a download has an apostrophe before each of these: it is made on
//! the way out, and the key of the file says how many there are.
use std::ops::Range;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};
use quadrille_store::files::Files;
use quadrille_tabular::Defuse;

/// What the last part of such a key ends with; before it is the number.
const MARK: &str = ".values";

/// A key for a file of `chat` with so many cells that begin like a formula.
pub(crate) fn key(chat: &str, name: &str, formulas: u64) -> String {
    match formulas {
        0 => Files::key(chat, name),
        formulas => Files::key(chat, &format!("{formulas}{MARK}")),
    }
}

/// How many cells of the file called `name` get an apostrophe when it is downloaded.
pub(crate) fn formulas(name: &str, key: &str) -> u64 {
    let last = key.rsplit('/').next().unwrap_or(key);
    let count = last.strip_suffix(MARK).and_then(|it| it.parse().ok());
    // Files of others may be called as such a key ends.
    let csv = name.rsplit_once('.').is_some_and(|(_, it)| it == "csv");
    count.filter(|_| csv).unwrap_or_default()
}

/// Where a download is.
struct State<S> {
    file: S,
    /// `None` after its end.
    defuse: Option<Defuse>,
    /// Bytes before the part that is wanted, and of it.
    skip: u64,
    left: u64,
}

/// The download of `file`, or this part of it.
pub(super) fn defused<S, E>(
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
                Some(Err(why)) => {
                    state.defuse = None;
                    return Some((Err(why), state));
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
    /// What of the next bytes is wanted.
    fn cut(&mut self, bytes: Vec<u8>) -> Bytes {
        let most = |it: u64, len: usize| usize::try_from(it).unwrap_or(usize::MAX).min(len);
        let mut bytes = Bytes::from(bytes);
        let skipped = most(self.skip, bytes.len());
        self.skip -= skipped as u64;
        bytes.advance(skipped);
        bytes.truncate(most(self.left, bytes.len()));
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
        // A name of an upload says nothing.
        assert_eq!(formulas("5.values", &Files::key("c", "5.values")), 0);
    }

    #[tokio::test]
    async fn any_part_of_a_download_is_that_part_of_the_whole() {
        let pieces = ["a,b\n=1", ",@x\n-1,\"+A", "1\"\n"];
        let whole = "a,b\n'=1,'@x\n-1,\"'+A1\"\n";
        let file = || {
            let pieces = pieces.map(|it| Ok::<_, Infallible>(Bytes::from(it)));
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
