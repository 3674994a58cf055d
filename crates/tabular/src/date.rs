//! Parses dates in the forms that people and programs write.
use std::sync::LazyLock;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use regex::{Captures, Regex};

use crate::Cell;

/// A parsed date and time: local time, and the offset from UTC if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) civil: DateTime,
    /// In minutes.
    pub(crate) offset: Option<i32>,
}

/// Rules for ambiguous dates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Whether `1/2/2024` is 1 February.
    pub(crate) day_first: bool,
    /// The time for `now` and `today`; its day is used for a time without a day.
    pub(crate) now: DateTime,
}

/// Evidence in a column for the order of day and month.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    day_first: bool,
    month_first: bool,
}

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:^|[\sT,]+)(?<h>\d{1,2}):(?<m>\d{2})(?::(?<s>\d{2})(?:\.(?<f>\d{1,9}))?)?",
        r"\s*(?<half>am|pm)?\s*(?<zone>z|utc|gmt|[+-]\d{2}:?\d{2}|[+-]\d{2})?$",
    ))
});
static COMPACT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?<y>\d{4})(?<m>\d{2})(?<d>\d{2})(?:T(?<h>\d{2})(?<i>\d{2})(?<s>\d{2}))?$")
});
static YEAR_FIRST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?<y>\d{4})(?:[-/.](?<m>\d{1,2})(?:[-/.](?<d>\d{1,2}))?)?$"));
static YEAR_LAST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?<a>\d{1,2})([-/.])(?<b>\d{1,2})([-/.])(?<y>\d{4}|\d{2})$"));
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]?\s+)?",
        r"(?:(?<d1>\d{1,2})(?:st|nd|rd|th)?[\s-]+)?(?<month>[a-z]{3,9})\.?",
        r"(?:[\s-]+(?<d2>\d{1,2})(?:st|nd|rd|th)?(?:,\s*|\s+))?[\s,-]*(?<y>\d{4}|\d{2})$",
    ))
});

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn pattern(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("the pattern is tested")
}

// === impl Moment ===

impl Moment {
    pub(crate) fn parse(text: &str, reading: Reading) -> Option<Self> {
        let text = text.trim();
        let whole = |civil| Some(Self { civil, offset: None });
        if text.eq_ignore_ascii_case("now") {
            return whole(reading.now);
        }
        if text.eq_ignore_ascii_case("today") {
            return whole(reading.now.date().into());
        }
        // No date is longer.
        if text.len() > 64 {
            return None;
        }
        if let Some(found) = COMPACT.captures(text) {
            let day = day(int(&found, "y")?, int(&found, "m")?, int(&found, "d")?)?;
            let clock = found.name("h").map(|_| {
                Time::new(int(&found, "h")?, int(&found, "i")?, int(&found, "s")?, 0).ok()
            });
            return whole(day.to_datetime(clock.unwrap_or(Some(Time::midnight()))?));
        }
        let Some(found) = TIME.captures(text) else {
            return whole(date(text, reading)?.into());
        };
        let before = text.get(..found.get(0)?.start())?.trim();
        let day = if before.is_empty() { reading.now.date() } else { date(before, reading)? };
        let offset = match found.name("zone") {
            Some(zone) => Some(minutes(zone.as_str())?),
            None => None,
        };
        Some(Self { civil: day.to_datetime(clock(&found)?), offset })
    }

    /// Parses a cell. Numbers count nanoseconds from 1970.
    pub(crate) fn of(cell: &Cell, reading: Reading) -> Option<Self> {
        match cell {
            Cell::Text(text) => Self::parse(text, reading),
            Cell::Int(nanos) => Self::nanoseconds(*nanos),
            #[expect(clippy::cast_possible_truncation, reason = "what is too large is no date")]
            Cell::Float(nanos) => Self::nanoseconds(*nanos as i128),
            Cell::Missing | Cell::Bool(_) => None,
        }
    }

    pub(crate) fn nanoseconds(nanos: i128) -> Option<Self> {
        let time = Timestamp::from_nanosecond(nanos).ok()?;
        Some(Self { civil: time.to_zoned(TimeZone::UTC).datetime(), offset: None })
    }

    /// Returns the time in UTC, for comparisons. Without an offset it is taken as UTC.
    pub(crate) fn instant(self) -> DateTime {
        let offset = SignedDuration::from_mins(self.offset.unwrap_or_default().into());
        self.civil.checked_sub(offset).unwrap_or(self.civil)
    }
}

// === impl Evidence ===

impl Evidence {
    pub(crate) fn add(&mut self, cell: &Cell) {
        let Cell::Text(text) = cell else { return };
        if text.len() > 64 {
            return;
        }
        let text = text.trim();
        let day = TIME.find(text).map_or(text, |time| text.get(..time.start()).unwrap_or(text));
        let Some(found) = YEAR_LAST.captures(day.trim()) else { return };
        let [Some(first), Some(second)] = ["a", "b"].map(|name| int::<u8>(&found, name)) else {
            return;
        };
        self.day_first |= first > 12 && second <= 12;
        self.month_first |= second > 12 && first <= 12;
    }

    /// Returns whether the day comes first. The month does if the dates are ambiguous or contradict
    /// each other.
    pub(crate) fn day_first(self) -> bool {
        self.day_first && !self.month_first
    }
}

fn date(text: &str, reading: Reading) -> Option<Date> {
    if let Some(found) = YEAR_FIRST.captures(text) {
        let part = |name| found.name(name).map_or(Some(1), |_| int(&found, name));
        return day(int(&found, "y")?, part("m")?, part("d")?);
    }
    if let Some(found) = YEAR_LAST.captures(text) {
        if found.get(2)?.as_str() != found.get(4)?.as_str() {
            return None;
        }
        let (first, second): (i8, i8) = (int(&found, "a")?, int(&found, "b")?);
        let day_first = first > 12 || (reading.day_first && second <= 12);
        let (month, of_month) = if day_first { (second, first) } else { (first, second) };
        return day(year(&found)?, month, of_month);
    }
    let found = NAMED.captures(text)?;
    let name = found.name("month")?.as_str().to_ascii_lowercase();
    let month = MONTHS.iter().position(|month| *month == name || month.get(..3) == Some(&*name));
    // A common abbreviation.
    let month = month.or((name == "sept").then_some(8))?;
    let of_month = match (found.name("d1"), found.name("d2")) {
        (Some(_), Some(_)) => return None,
        (Some(_), None) => int(&found, "d1")?,
        (None, Some(_)) => int(&found, "d2")?,
        (None, None) => 1,
    };
    day(year(&found)?, i8::try_from(month + 1).ok()?, of_month)
}

fn day(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day).ok().filter(|date| date.year() > 0)
}

/// Reads a year; two digits are a year from 1969 to 2068.
fn year(found: &Captures<'_>) -> Option<i16> {
    let year: i16 = int(found, "y")?;
    Some(match (found.name("y")?.len(), year) {
        (2, 69..) => 1900 + year,
        (2, _) => 2000 + year,
        _ => year,
    })
}

fn clock(found: &Captures<'_>) -> Option<Time> {
    let hour: i8 = int(found, "h")?;
    let hour = match found.name("half").map(|half| half.as_str().to_ascii_lowercase()) {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) => hour % 12 + if half == "pm" { 12 } else { 0 },
    };
    let seconds = found.name("s").map_or(Some(0), |_| int(found, "s"))?;
    let nanos = found.name("f").map_or("0", |digits| digits.as_str());
    let nanos = format!("{nanos:0<9}").parse().ok()?;
    Time::new(hour, int(found, "m")?, seconds, nanos).ok()
}

fn minutes(zone: &str) -> Option<i32> {
    let Some(digits) = zone.strip_prefix(['+', '-']) else { return Some(0) };
    let digits = digits.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let total = hours.parse::<i32>().ok()? * 60 + minutes;
    Some(if zone.starts_with('-') { -total } else { total })
}

fn int<T: std::str::FromStr>(found: &Captures<'_>, name: &str) -> Option<T> {
    found.name(name)?.as_str().parse().ok()
}

#[cfg(test)]
mod tests;
