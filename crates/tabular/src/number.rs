//! Parses texts as numbers.
use std::cmp::Ordering;

use crate::Cell;

/// A number of a cell. Integers keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Numeric {
    Int(i128),
    Float(f64),
}

impl Numeric {
    /// Parses digits with an optional sign, point and exponent, or `inf`, with white space around.
    /// Thousands separators and units are no numbers.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if unsigned.len() < 30
            && !unsigned.is_empty()
            && unsigned.bytes().all(|b| b.is_ascii_digit())
        {
            let number: i128 = text.parse().ok()?;
            let fits = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number);
            #[expect(clippy::cast_precision_loss, reason = "64 bits are the most")]
            return Some(if fits { Self::Int(number) } else { Self::Float(number as f64) });
        }
        if unsigned.eq_ignore_ascii_case("nan") {
            return None;
        }
        text.parse().ok().map(Self::Float)
    }

    pub(crate) fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Missing => None,
            Cell::Text(text) => Self::parse(text),
            Cell::Int(number) => Some(Self::Int(*number)),
            Cell::Float(number) => Some(Self::Float(*number)).filter(|_| !number.is_nan()),
            Cell::Bool(value) => Some(Self::Int(i128::from(*value))),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "that is what is asked")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// Compares by value, without rounding integers. Neither may be NaN.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Int(a), Self::Float(b)) => compare_exactly(a, b),
            (Self::Float(a), Self::Int(b)) => compare_exactly(b, a).reverse(),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        }
    }
}

fn compare_exactly(whole: i128, float: f64) -> Ordering {
    const BEYOND: f64 = 1e37;
    if float.abs() >= BEYOND {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within 10^37")]
    let floor = float.floor() as i128;
    whole.cmp(&floor).then(if float.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for text in ["", "nan", "-NaN", "TRUE", "1,000", "1 000", "5%", "0x10", "1_0", "1e", "--5"]
        {
            assert_eq!(Numeric::parse(text), None, "{text}");
        }
        for text in [" 10 ", "+10", "10.", "1e1", "1E+1"] {
            assert_eq!(Numeric::parse(text).map(Numeric::float), Some(10.0), "{text}");
        }
        assert_eq!(Numeric::parse(".5"), Some(Numeric::Float(0.5)));
        assert_eq!(Numeric::parse("1e400"), Some(Numeric::Float(f64::INFINITY)));
        assert_eq!(Numeric::parse("-Infinity"), Some(Numeric::Float(f64::NEG_INFINITY)));
        assert_eq!(Numeric::parse("18446744073709551615"), Some(Numeric::Int(u64::MAX.into())));
    }

    #[test]
    fn long_whole_numbers_compare_by_every_digit() {
        let parse = |text| Numeric::parse(text).unwrap();
        let (a, b) = (parse("9007199254740993"), parse("9007199254740992"));
        assert_eq!(a.compare(b), Ordering::Greater);
        assert_eq!(a.compare(Numeric::Float(9_007_199_254_740_992.0)), Ordering::Greater);
        assert_eq!(Numeric::Float(2.5).compare(Numeric::Int(2)), Ordering::Greater);
        assert_eq!(Numeric::Int(-3).compare(Numeric::Float(-2.5)), Ordering::Less);
        assert_eq!(Numeric::Int(2).compare(Numeric::Float(f64::INFINITY)), Ordering::Less);
    }
}
