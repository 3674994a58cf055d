//! Bounds lists in bytes: rows are measured before they are read.
use crate::Page;

/// Takes the leading rows that fit into `most` bytes; at least one, so that a large row does not
/// block a reader.
pub(crate) fn fitting<T>(measured: Vec<(T, i64)>, most: usize) -> Vec<T> {
    let mut left = i64::try_from(most).unwrap_or(i64::MAX);
    let mut fitting = Vec::new();
    for (row, bytes) in measured {
        left = left.saturating_sub(bytes.saturating_add(ROW_OVERHEAD));
        if left < 0 && !fitting.is_empty() {
            break;
        }
        fitting.push(row);
    }
    fitting
}

/// Estimated bytes of a row beside its texts.
const ROW_OVERHEAD: i64 = 500;

impl Page {
    /// Most bytes of the texts on one page, unless its only row has more. A page with fewer rows than
    /// its limit need not be the last one.
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
