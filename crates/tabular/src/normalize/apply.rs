//! Changes one cell.
use super::{
    fit::{Fit, number},
    format::print,
    kind::{DatePart, Kind},
    text,
};
use crate::{
    budget::ResultBudget,
    cell::Cell,
    date::{Moment, Reading},
    error::Error,
    number::Numeric,
    progress::Meter,
};

// === impl Kind ===

impl Kind {
    /// Returns the changed `cell`, for a column described by `fit`.
    pub(super) fn apply(
        &self,
        fit: &Fit,
        cell: Cell,
        reading: Reading,
        budget: &mut ResultBudget,
        meter: &mut Meter<'_>,
    ) -> Result<Cell, Error> {
        meter.pulse()?;
        let made = if let Self::Replace(pattern) = self {
            let Some(text) = cell.text() else { return Ok(cell) };
            Cell::Text(pattern.replace(&text, budget, meter)?)
        } else {
            self.changed(fit, cell, reading)
        };
        budget.take(made.size())?;
        Ok(made)
    }

    /// Returns whether texts are converted to numbers or dates, which may fail.
    pub(super) fn converts(&self) -> bool {
        matches!(
            self,
            Self::Integer
                | Self::Outliers(_)
                | Self::Scale
                | Self::Score
                | Self::Round(_)
                | Self::Currency { .. }
                | Self::Date { .. }
                | Self::DatePart(_)
        )
    }

    /// Returns whether `cell` had a value that could not be converted; `made` is the result.
    pub(super) fn failed(&self, cell: &Cell, made: &Cell) -> bool {
        match self {
            _ if cell.is_empty() => false,
            // These types never give a missing cell for that, or do so for other reasons.
            Self::Integer | Self::Outliers(_) => number(self, cell).is_none(),
            _ => self.converts() && made.is_missing(),
        }
    }

    fn changed(&self, fit: &Fit, cell: Cell, reading: Reading) -> Cell {
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
                    let number = Numeric::of(&cell).filter(|_| *numbers);
                    number.map_or(cell, |number| Cell::Float(number.float()))
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
            _ => content.to_owned(),
        }
    }

    fn number(&self, fit: &Fit, number: Numeric) -> Cell {
        let float = number.float();
        let plain = |whole: bool| match number {
            Numeric::Int(number) if whole => Cell::Int(number),
            number => Cell::Float(number.float()),
        };
        match (self, fit) {
            (_, Fit::Scale { low, high, whole }) => {
                if low < high {
                    found((float - low) / (high - low))
                } else {
                    plain(*whole)
                }
            }
            (_, Fit::Score { mean, deviation }) => match deviation {
                None => Cell::Missing,
                Some(deviation) if *deviation == 0.0 => Cell::Float(0.0),
                Some(deviation) => found((float - mean) / deviation),
            },
            (_, Fit::Fences { low, high, whole }) => {
                if (*low..=*high).contains(&float) {
                    plain(*whole)
                } else {
                    Cell::Missing
                }
            }
            (Self::Round(decimals), Fit::Whole(true)) => match number {
                Numeric::Int(number) => Cell::Int(round_whole(number, *decimals)),
                Numeric::Float(_) => plain(false),
            },
            (Self::Round(decimals), _) => Cell::Float(round(float, *decimals)),
            (_, Fit::Whole(whole)) => plain(*whole),
            _ => plain(false),
        }
    }
}

/// Makes a cell; a result that is not a number becomes a missing cell.
fn found(number: f64) -> Cell {
    if number.is_nan() { Cell::Missing } else { Cell::Float(number) }
}

fn is_one_of(cell: &Cell, words: &[String]) -> bool {
    let text = cell.text().map(|text| text.to_lowercase());
    text.is_some_and(|text| words.contains(&text))
}

fn truncate(number: Numeric) -> i128 {
    match number {
        Numeric::Int(number) => number,
        #[expect(clippy::cast_possible_truncation, reason = "that is what is asked")]
        Numeric::Float(number) => number as i128,
    }
}

fn round(number: f64, decimals: i32) -> f64 {
    let power = 10f64.powi(decimals.abs());
    let rounded = if decimals < 0 {
        (number / power).round_ties_even() * power
    } else {
        (number * power).round_ties_even() / power
    };
    // A number too large to have decimals stays as it is.
    if rounded.is_finite() { rounded } else { number }
}

fn round_whole(number: i128, decimals: i32) -> i128 {
    let Some(power) = decimals.checked_neg().and_then(|digits| u32::try_from(digits).ok()) else {
        return number;
    };
    let Some(power) = 10i128.checked_pow(power) else { return 0 };
    let (tens, rest) = (number.div_euclid(power), number.rem_euclid(power));
    let up = rest * 2 > power || (rest * 2 == power && tens % 2 != 0);
    (tens + i128::from(up)) * power
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
}
