//! Collects the properties of a column before its first cell is changed.
use std::collections::HashMap;

use super::kind::{Kind, Method};
use crate::{
    budget::charge,
    cell::Cell,
    date::Evidence,
    error::{Error, TooMuch},
    limits::Limits,
    number::Numeric,
};

/// Properties of a column that a type of normalisation needs.
#[derive(Clone, Debug)]
pub(super) enum Fit {
    /// Needs nothing.
    Any,
    /// Whether all cells have whole numbers.
    Whole(bool),
    Scale {
        low: f64,
        high: f64,
        whole: bool,
    },
    /// Mean and standard deviation; a single number has no deviation.
    Score {
        mean: f64,
        deviation: Option<f64>,
    },
    Fences {
        low: f64,
        high: f64,
        whole: bool,
    },
    Fill {
        cell: Cell,
        numbers: bool,
    },
    DayFirst(bool),
}

/// Collects the properties of a column.
#[derive(Debug)]
pub(crate) enum Collector {
    Numbers(Numbers),
    Dates(Evidence),
    Counts { counts: HashMap<String, u64>, held: usize, limits: Limits },
}

#[derive(Debug)]
pub(crate) struct Numbers {
    count: u64,
    /// Cells without a number: with another text, and empty ones.
    other: u64,
    empty: u64,
    booleans: bool,
    whole: bool,
    /// Whether a number does not fit into 64 bits.
    beyond: bool,
    low: f64,
    high: f64,
    mean: f64,
    squares: f64,
    /// All numbers, where their order matters.
    kept: Option<Vec<f64>>,
    held: usize,
    most: usize,
}

// === impl Collector ===

impl Collector {
    /// Returns a collector for `kind`, if that needs any properties.
    pub(super) fn for_kind(kind: &Kind, limits: &Limits) -> Option<Self> {
        let numbers = |keep: bool| Some(Self::Numbers(Numbers::new(keep, limits)));
        match kind {
            Kind::Scale | Kind::Score | Kind::Round(_) | Kind::Integer | Kind::Currency { .. } => {
                numbers(false)
            }
            Kind::Fill { method: Method::Mean, .. } => numbers(false),
            Kind::Fill { method: Method::Median, .. } | Kind::Outliers(_) => numbers(true),
            Kind::Fill { method: Method::Mode, .. } => {
                Some(Self::Counts { counts: HashMap::new(), held: 0, limits: *limits })
            }
            Kind::Date { .. } | Kind::DatePart(_) => Some(Self::Dates(Evidence::default())),
            _ => None,
        }
    }

    pub(super) fn add(&mut self, kind: &Kind, cell: &Cell) -> Result<(), Error> {
        match self {
            Self::Numbers(numbers) => numbers.add(kind, cell),
            Self::Dates(evidence) => {
                evidence.add(cell);
                Ok(())
            }
            Self::Counts { counts, held, limits } => {
                let Some(text) = cell.text().filter(|text| !text.is_empty()) else { return Ok(()) };
                if let Some(count) = counts.get_mut(&*text) {
                    *count += 1;
                } else if counts.len() >= limits.max_distinct {
                    return Err(TooMuch::Distinct { most: limits.max_distinct }.into());
                } else {
                    let what = "the values of the column";
                    charge(held, text.len(), limits.max_held, what, "split the file")?;
                    counts.insert(text.into_owned(), 1);
                }
                Ok(())
            }
        }
    }

    /// Returns the properties, or the reason why `kind` cannot be applied to this column.
    pub(super) fn fit(self, kind: &Kind) -> Result<Fit, String> {
        match self {
            Self::Numbers(numbers) => numbers.fit(kind),
            Self::Dates(evidence) => Ok(Fit::DayFirst(evidence.day_first())),
            Self::Counts { counts, .. } => {
                // The most frequent value; among equals the first in alphabetical order.
                let best = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
                let value =
                    if let Kind::Fill { value, .. } = kind { value.clone() } else { Cell::Missing };
                let cell = best.map_or(value, |(text, _)| Cell::Text(text));
                Ok(Fit::Fill { cell, numbers: false })
            }
        }
    }
}

// === impl Numbers ===

impl Numbers {
    fn new(keep: bool, limits: &Limits) -> Self {
        Self {
            count: 0,
            other: 0,
            empty: 0,
            booleans: false,
            whole: true,
            beyond: false,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            mean: 0.0,
            squares: 0.0,
            kept: keep.then(Vec::new),
            held: 0,
            most: limits.max_held,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean does not need the last rows")]
    fn add(&mut self, kind: &Kind, cell: &Cell) -> Result<(), Error> {
        self.booleans |= matches!(cell, Cell::Bool(_));
        let Some(number) = number(kind, cell) else {
            if cell.is_empty() {
                self.empty += 1;
            } else {
                self.other += 1;
            }
            return Ok(());
        };
        self.count += 1;
        self.whole &= matches!(number, Numeric::Int(_));
        self.beyond |= match number {
            Numeric::Int(number) => i64::try_from(number).is_err(),
            Numeric::Float(number) => !(-I64..I64).contains(&number),
        };
        let number = number.float();
        self.low = self.low.min(number);
        self.high = self.high.max(number);
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
        if let Some(kept) = &mut self.kept {
            kept.push(number);
            let what = "the numbers of the column";
            charge(&mut self.held, size_of::<f64>(), self.most, what, "split the file")?;
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "as above")]
    fn fit(mut self, kind: &Kind) -> Result<Fit, String> {
        if self.booleans && !matches!(kind, Kind::Integer | Kind::Fill { .. }) {
            return Err("the column holds booleans, not numbers".to_owned());
        }
        let complete = self.other == 0 && self.empty == 0;
        let whole = self.whole && complete;
        Ok(match kind {
            Kind::Scale => Fit::Scale { low: self.low, high: self.high, whole },
            Kind::Score => {
                let spread = self.squares / (self.count.max(2) - 1) as f64;
                let deviation = (self.count > 1).then(|| spread.sqrt());
                // Rounding errors must not make a constant column vary.
                let constant = self.low >= self.high;
                let deviation = deviation.map(|deviation| if constant { 0.0 } else { deviation });
                Fit::Score { mean: self.mean, deviation }
            }
            Kind::Integer if self.count > 0 && !(self.low.is_finite() && self.high.is_finite()) => {
                return Err("Cannot convert non-finite values (NA or inf) to integer".to_owned());
            }
            Kind::Integer if self.beyond => {
                return Err("a number is beyond 64 bits".to_owned());
            }
            Kind::Outliers(multiplier) => {
                let numbers = self.kept.get_or_insert_default();
                let (first, third) = (quantile(numbers, 0.25), quantile(numbers, 0.75));
                let margin = multiplier * (third - first);
                let (low, high) = (first - margin, third + margin);
                let inside = numbers.iter().all(|number| (low..=high).contains(number));
                Fit::Fences { low, high, whole: whole && inside }
            }
            Kind::Fill { value, method } => {
                let found = match method {
                    _ if self.count == 0 => None,
                    Method::Median => Some(quantile(self.kept.get_or_insert_default(), 0.5)),
                    _ => Some(self.mean),
                };
                let cell = found.map_or_else(|| value.clone(), Cell::Float);
                Fit::Fill { cell, numbers: self.count > 0 && self.other == 0 }
            }
            _ => Fit::Whole(whole),
        })
    }
}

/// 2^63.
const I64: f64 = 9_223_372_036_854_775_808.0;

/// Computes a quantile by linear interpolation between neighbours. Reorders the numbers without
/// sorting them, which would be slow.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list that fits into memory"
)]
fn quantile(numbers: &mut [f64], part: f64) -> f64 {
    let Some(last) = numbers.len().checked_sub(1) else { return f64::NAN };
    let place = last as f64 * part;
    let place_below = place.floor() as usize;
    let (_, below, after) = numbers.select_nth_unstable_by(place_below, f64::total_cmp);
    let below = *below;
    let next = after.iter().copied().min_by(f64::total_cmp);
    let above = next.filter(|_| place.fract() > 0.0).unwrap_or(below);
    if below.total_cmp(&above).is_eq() { below } else { below + (above - below) * place.fract() }
}

/// Returns the number that `kind` reads from a cell.
pub(super) fn number(kind: &Kind, cell: &Cell) -> Option<Numeric> {
    let Kind::Currency { comma, parentheses } = kind else { return Numeric::of(cell) };
    let text = cell.text()?;
    let decimal = if *comma { ',' } else { '.' };
    let mut digits: String =
        text.chars().filter(|c| c.is_ascii_digit() || *c == '-' || *c == decimal).collect();
    if *comma {
        digits = digits.replace(',', ".");
    }
    let text = text.trim();
    if *parentheses && text.starts_with('(') && text.ends_with(')') {
        digits.insert(0, '-');
    }
    Numeric::parse(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let mut numbers = [10.0, 2.0, 1.0, 3.0];
        assert!((quantile(&mut numbers, 0.25) - 1.75).abs() < 1e-15);
        assert!((quantile(&mut numbers, 0.5) - 2.5).abs() < 1e-15);
        assert!(quantile(&mut [], 0.5).is_nan());
    }
}
