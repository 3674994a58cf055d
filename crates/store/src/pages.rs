//! Lists are bounded in bytes, too: what is asked for is measured before it is read.
use crate::Page;

/// Of the rows of a list and their bytes, those from the beginning that fit on a page; at least one,
/// so that nobody is stuck in front of a large row.
pub(crate) fn fitting<T>(measured: Vec<(T, i64)>, most: usize) -> Vec<T> {
    let mut left = i64::try_from(most).unwrap_or(i64::MAX);
    let mut fitting = Vec::new();
    for (row, bytes) in measured {
        // The names and times around the texts are something, too.
        left = left.saturating_sub(bytes.saturating_add(ROW));
        if left < 0 && !fitting.is_empty() {
            break;
        }
        fitting.push(row);
    }
    fitting
}

/// Bytes of a row beside its texts, about.
const ROW: i64 = 500;

impl Page {
    /// Bytes of the texts on one page, at most, unless its only row has more. A page that has fewer
    /// rows than were asked for is not the last one for that.
    pub const BYTES: usize = 2 << 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_fits_and_at_least_one_row() {
        let rows = |sizes: &[i64]| sizes.iter().copied().zip(sizes.iter().copied()).collect();
        assert_eq!(fitting(rows(&[100, 200, 300]), 2000), [100, 200]);
        assert_eq!(fitting(rows(&[5000, 1]), 2000), [5000]);
        assert_eq!(fitting(rows(&[1, 5000, 1]), 2000), [1]);
        assert_eq!(fitting(rows(&[]), 2000), [0; 0]);
    }
}
