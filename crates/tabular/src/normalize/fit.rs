//! What must be known of a whole column before its first cell is changed, and the change itself.
use std::collections::HashMap;

use super::{
    kind::{DatePart, Kind, Method},
    text,
};
use crate::{
    cell::Cell,
    date::{Evidence, Moment, Reading},
    error::{Error, TooMuch},
    limits::Limits,
    number::Number,
    run::hold,
};

/// What a column is like, as far as a type of normalisation must know.
#[derive(Clone, Debug)]
pub(super) enum Fit {
    /// Nothing has to be known.
    Any,
    /// Whether all numbers are whole and no cell is without one.
    Whole(bool),
    Scale {
        low: f64,
        high: f64,
        whole: bool,
    },
    /// Mean and standard deviation; a single number has none.
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

/// Collects it.
#[derive(Debug)]
pub(crate) enum Gather {
    Numbers(Numbers),
    Dates(Evidence),
    Counts { counts: HashMap<String, u64>, most: usize },
}

#[derive(Debug)]
pub(crate) struct Numbers {
    count: u64,
    /// Cells without a number: those with other text, and the empty ones.
    other: u64,
    empty: u64,
    booleans: bool,
    whole: bool,
    low: f64,
    high: f64,
    mean: f64,
    squares: f64,
    /// All of them, where their order matters.
    kept: Option<Vec<f64>>,
    held: usize,
    most: usize,
}

// === impl Gather ===

impl Gather {
    /// What collects for `kind`, if it has to know anything.
    pub(super) fn for_kind(kind: &Kind, limits: &Limits) -> Option<Self> {
        let numbers = |keep: bool| Some(Self::Numbers(Numbers::new(keep, limits)));
        match kind {
            Kind::Scale | Kind::Score | Kind::Round(_) | Kind::Integer | Kind::Currency { .. } => {
                numbers(false)
            }
            Kind::Fill { method: Method::Mean, .. } => numbers(false),
            Kind::Fill { method: Method::Median, .. } | Kind::Outliers(_) => numbers(true),
            Kind::Fill { method: Method::Mode, .. } => {
                Some(Self::Counts { counts: HashMap::new(), most: limits.max_distinct })
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
            Self::Counts { counts, most } => {
                let Some(text) = cell.text().filter(|text| !text.is_empty()) else { return Ok(()) };
                if let Some(count) = counts.get_mut(&*text) {
                    *count += 1;
                } else if counts.len() >= *most {
                    return Err(TooMuch::Distinct { most: *most }.into());
                } else {
                    counts.insert(text.into_owned(), 1);
                }
                Ok(())
            }
        }
    }

    /// What was found, or why `kind` cannot be done to this column.
    pub(super) fn fit(self, kind: &Kind) -> Result<Fit, String> {
        match self {
            Self::Numbers(numbers) => numbers.fit(kind),
            Self::Dates(evidence) => Ok(Fit::DayFirst(evidence.day_first())),
            Self::Counts { counts, .. } => {
                // The most frequent; among equals the first in the alphabet.
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
        self.whole &= matches!(number, Number::Int(_));
        let number = number.float();
        self.low = self.low.min(number);
        self.high = self.high.max(number);
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
        if let Some(kept) = &mut self.kept {
            kept.push(number);
            let what = "the numbers of the column";
            hold(&mut self.held, size_of::<f64>(), self.most, what, "split the file")?;
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
                // Rounding must not make a constant column vary.
                let constant = self.low >= self.high;
                let deviation = deviation.map(|it| if constant { 0.0 } else { it });
                Fit::Score { mean: self.mean, deviation }
            }
            Kind::Integer if self.count > 0 && !(self.low.is_finite() && self.high.is_finite()) => {
                return Err("Cannot convert non-finite values (NA or inf) to integer".to_owned());
            }
            Kind::Integer if self.count > 0 && (self.low < -I64 || self.high >= I64) => {
                return Err("a number is beyond 64 bits".to_owned());
            }
            Kind::Outliers(multiplier) => {
                let sorted = self.sorted();
                let (first, third) = (quantile(sorted, 0.25), quantile(sorted, 0.75));
                let margin = multiplier * (third - first);
                let (low, high) = (first - margin, third + margin);
                let inside = sorted.iter().all(|it| (low..=high).contains(it));
                Fit::Fences { low, high, whole: whole && inside }
            }
            Kind::Fill { value, method } => {
                let found = match method {
                    _ if self.count == 0 => None,
                    Method::Median => Some(quantile(self.sorted(), 0.5)),
                    _ => Some(self.mean),
                };
                let cell = found.map_or_else(|| value.clone(), Cell::Float);
                Fit::Fill { cell, numbers: self.count > 0 && self.other == 0 }
            }
            _ => Fit::Whole(whole),
        })
    }

    fn sorted(&mut self) -> &[f64] {
        let kept = self.kept.get_or_insert_default();
        kept.sort_by(f64::total_cmp);
        kept
    }
}

/// 2^63.
const I64: f64 = 9_223_372_036_854_775_808.0;

/// By linear interpolation between neighbours.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list that fits into memory"
)]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = last as f64 * part;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    if below.total_cmp(&above).is_eq() { below } else { below + (above - below) * place.fract() }
}

fn number(kind: &Kind, cell: &Cell) -> Option<Number> {
    let Kind::Currency { comma, parentheses } = kind else { return Number::of(cell) };
    let text = cell.text()?;
    let decimal = if *comma { ',' } else { '.' };
    let mut digits: String =
        text.chars().filter(|it| it.is_ascii_digit() || *it == '-' || *it == decimal).collect();
    if *comma {
        digits = digits.replace(',', ".");
    }
    let text = text.trim();
    if *parentheses && text.starts_with('(') && text.ends_with(')') {
        digits.insert(0, '-');
    }
    Number::parse(&digits)
}

// === impl Kind ===

impl Kind {
    /// What `cell` becomes, in a column that is as `fit` says.
    pub(super) fn apply(&self, fit: &Fit, cell: Cell, reading: Reading) -> Cell {
        let date = || {
            let day_first = matches!(fit, Fit::DayFirst(true));
            Moment::of(&cell, Reading { day_first, ..reading })
        };
        match self {
            Self::Phone if cell.is_missing() => Cell::EMPTY,
            Self::Boolean(words) => Cell::Bool(is_one_of(&cell, words)),
            Self::YesNo(words) => Cell::from(if is_one_of(&cell, words) { "Yes" } else { "No" }),
            Self::Fill { value, .. } => match fit {
                Fit::Fill { cell: filling, numbers } => {
                    if cell.is_empty() {
                        return filling.clone();
                    }
                    let number = Number::of(&cell).filter(|_| *numbers);
                    number.map_or(cell, |it| Cell::Float(it.float()))
                }
                _ if cell.is_empty() => value.clone(),
                _ => cell,
            },
            Self::Integer => Cell::Int(number(self, &cell).map_or(0, truncate)),
            Self::Scale
            | Self::Score
            | Self::Round(_)
            | Self::Currency { .. }
            | Self::Outliers(_) => {
                number(self, &cell).map_or(Cell::Missing, |number| self.number(fit, number))
            }
            _ if cell.is_missing() => cell,
            Self::Date { format } => {
                let printed = date().and_then(|moment| print(moment, format));
                printed.map_or(Cell::Missing, Cell::Text)
            }
            Self::DatePart(part) => date().map_or(Cell::Missing, |moment| {
                let civil = moment.civil;
                Cell::Int(match part {
                    DatePart::Year => civil.year().into(),
                    DatePart::Month => civil.month().into(),
                    DatePart::Day => civil.day().into(),
                })
            }),
            Self::Categories { mapping, default } => {
                let known = cell.text().and_then(|text| mapping.get(&*text)).or(default.as_ref());
                known.cloned().unwrap_or(cell)
            }
            _ => {
                let content = cell.text().unwrap_or_default();
                Cell::Text(self.text(&content))
            }
        }
    }

    fn text(&self, content: &str) -> String {
        match self {
            Self::Upper => content.to_uppercase(),
            Self::Lower => content.to_lowercase(),
            Self::Title => text::title_case(content),
            Self::Trim => content.trim().to_owned(),
            Self::Collapse => text::collapse(content),
            Self::Phone => text::phone(content),
            Self::Email => content.to_lowercase().trim().to_owned(),
            Self::Name => text::title_case(content).trim().to_owned(),
            Self::Address => text::address(content),
            Self::Replace(pattern) => pattern.replace(content),
            _ => content.to_owned(),
        }
    }

    fn number(&self, fit: &Fit, number: Number) -> Cell {
        let float = number.float();
        let plain = |whole: bool| match number {
            Number::Int(number) if whole => Cell::Int(number),
            number => Cell::Float(number.float()),
        };
        match (self, fit) {
            (_, Fit::Scale { low, high, whole }) => {
                if low < high {
                    Cell::Float((float - low) / (high - low))
                } else {
                    plain(*whole)
                }
            }
            (_, Fit::Score { mean, deviation }) => match deviation {
                None => Cell::Missing,
                Some(deviation) if *deviation == 0.0 => Cell::Float(0.0),
                Some(deviation) => Cell::Float((float - mean) / deviation),
            },
            (_, Fit::Fences { low, high, whole }) => {
                if (*low..=*high).contains(&float) {
                    plain(*whole)
                } else {
                    Cell::Missing
                }
            }
            (Self::Round(decimals), Fit::Whole(true)) => match number {
                Number::Int(number) => Cell::Int(round_whole(number, *decimals)),
                Number::Float(_) => plain(false),
            },
            (Self::Round(decimals), _) => Cell::Float(round(float, *decimals)),
            (_, Fit::Whole(whole)) => plain(*whole),
            _ => plain(false),
        }
    }
}

fn is_one_of(cell: &Cell, words: &[String]) -> bool {
    let text = cell.text().map(|text| text.to_lowercase());
    text.is_some_and(|text| words.contains(&text))
}

fn truncate(number: Number) -> i128 {
    match number {
        Number::Int(number) => number,
        #[expect(clippy::cast_possible_truncation, reason = "that is what is asked")]
        Number::Float(number) => number as i128,
    }
}

fn round(number: f64, decimals: i32) -> f64 {
    let power = 10f64.powi(decimals.abs());
    let rounded = if decimals < 0 {
        (number / power).round_ties_even() * power
    } else {
        (number * power).round_ties_even() / power
    };
    // What is too large to have decimals stays as it is.
    if rounded.is_finite() { rounded } else { number }
}

fn round_whole(number: i128, decimals: i32) -> i128 {
    let Some(power) = decimals.checked_neg().and_then(|it| u32::try_from(it).ok()) else {
        return number;
    };
    let Some(power) = 10i128.checked_pow(power) else { return 0 };
    let (tens, rest) = (number.div_euclid(power), number.rem_euclid(power));
    let up = rest * 2 > power || (rest * 2 == power && tens % 2 != 0);
    (tens + i128::from(up)) * power
}

fn print(moment: Moment, format: &str) -> Option<String> {
    let zone = match moment.offset {
        Some(offset) if format.contains("%z") => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
        _ => String::new(),
    };
    let name = if moment.offset == Some(0) { "UTC" } else { "" };
    let format = format.replace("%z", &zone).replace("%Z", name);
    jiff::fmt::strtime::format(format, moment.civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_even() {
        let cases =
            [(2.5, 0, 2.0), (0.5, 0, 0.0), (1.005, 2, 1.0), (2.675, 2, 2.68), (1.235, 2, 1.24)];
        for (number, decimals, rounded) in cases {
            assert!((round(number, decimals) - rounded).abs() < 1e-15, "{number}");
        }
        assert_eq!(round_whole(1234, -2), 1200);
        assert_eq!(round_whole(1250, -2), 1200);
        assert_eq!(round_whole(-1350, -2), -1400);
        assert_eq!(round_whole(1234, 2), 1234);
        assert_eq!(round_whole(1234, -60), 0);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 3.0, 10.0];
        assert!((quantile(&sorted, 0.25) - 1.75).abs() < 1e-15);
        assert!((quantile(&sorted, 0.5) - 2.5).abs() < 1e-15);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
