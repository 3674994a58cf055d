//! Formats serial numbers of dates and times.
use jiff::{
    Span,
    civil::{Date, DateTime, Time, date},
};

const MILLIS_PER_DAY: f64 = 86_400_000.0;

/// Formats a date and time, always with its time; below 1, the time alone. `None` outside of the
/// years 1 to 9999.
pub(super) fn date_time(serial: f64, from_1904: bool) -> Option<String> {
    let (days, millis) = split(serial)?;
    if (0.0..1.0).contains(&serial) {
        // A time that rounds up to a whole day is midnight.
        return Some(clock(millis));
    }
    let (epoch, leap) = if from_1904 {
        (date(1904, 1, 1), 0)
    } else {
        // Day 60 is 29 February 1900, which did not exist.
        (date(1899, 12, 30), i64::from((1.0..60.0).contains(&serial)))
    };
    let span = Span::new().try_days(days + leap).ok()?;
    let day: Date = epoch.checked_add(span).ok().filter(|day| (1..=9999).contains(&day.year()))?;
    Some(format!("{day} {}", clock(millis)))
}

/// Formats a duration: `1 day, 6:00:00`.
pub(super) fn duration(serial: f64) -> Option<String> {
    let (days, millis) = split(serial)?;
    let clock = clock(millis);
    let clock = clock.strip_prefix('0').unwrap_or(&clock);
    Some(match days {
        0 => clock.to_owned(),
        1 | -1 => format!("{days} day, {clock}"),
        _ => format!("{days} days, {clock}"),
    })
}

/// Splits a number into whole days and milliseconds of the day.
#[expect(clippy::cast_possible_truncation, reason = "the number is checked")]
fn split(serial: f64) -> Option<(i64, i64)> {
    if !serial.is_finite() || serial.abs() > 1e9 {
        return None;
    }
    let millis = (serial * MILLIS_PER_DAY).round() as i64;
    Some((millis.div_euclid(MILLIS_PER_DAY as i64), millis.rem_euclid(MILLIS_PER_DAY as i64)))
}

fn clock(millis: i64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if millis > 0 { format!(".{millis:03}000") } else { String::new() };
    format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

/// Formats a date or a time in ISO 8601 like a serial number. Drops the offset: cells have local
/// time.
pub(super) fn iso(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(['Z', 'z']);
    let text = text.strip_prefix(['T', 't']).unwrap_or(text);
    let of_day = |time: Time| {
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        clock(seconds * 1000 + i64::from(time.subsec_nanosecond()) / 1_000_000)
    };
    // A time has at most two digits before its first colon.
    if text.find(':').is_some_and(|at| at <= 2) {
        let time = text.find(['+', '-']).and_then(|at| text.get(..at)).unwrap_or(text);
        return Some(of_day(time.parse().ok()?));
    }
    let moment: DateTime = text.parse().ok()?;
    Some(format!("{} {}", moment.date(), of_day(moment.time())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_days_and_times() {
        let cases = [
            (45_306.0, "2024-01-15 00:00:00"),
            (45_306.123_449_074, "2024-01-15 02:57:46"),
            (45_306.123_456, "2024-01-15 02:57:46.598000"),
            (0.0, "00:00:00"),
            (0.5, "12:00:00"),
            (1.0, "1900-01-01 00:00:00"),
            (59.0, "1900-02-28 00:00:00"),
            (60.0, "1900-02-28 00:00:00"),
            (61.0, "1900-03-01 00:00:00"),
            (-1.0, "1899-12-29 00:00:00"),
            (2_958_465.0, "9999-12-31 00:00:00"),
        ];
        for (serial, text) in cases {
            assert_eq!(date_time(serial, false).as_deref(), Some(text), "{serial}");
        }
        assert_eq!(date_time(3_000_000.0, false), None);
        assert_eq!(date_time(f64::NAN, false), None);
        assert_eq!(date_time(1.0, true).as_deref(), Some("1904-01-02 00:00:00"));
    }

    #[test]
    fn durations_count_days() {
        assert_eq!(duration(1.25).as_deref(), Some("1 day, 6:00:00"));
        assert_eq!(duration(2.0).as_deref(), Some("2 days, 0:00:00"));
        assert_eq!(duration(0.5).as_deref(), Some("12:00:00"));
        assert_eq!(duration(-0.25).as_deref(), Some("-1 day, 18:00:00"));
    }

    #[test]
    fn iso_dates_have_their_time() {
        assert_eq!(iso("2024-01-15").as_deref(), Some("2024-01-15 00:00:00"));
        assert_eq!(iso("2024-01-15T10:30:00Z").as_deref(), Some("2024-01-15 10:30:00"));
        assert_eq!(iso("10:30:00").as_deref(), Some("10:30:00"));
        let cases = [
            ("23:44:51.894", "23:44:51.894000"),
            ("T23:44:51.894Z", "23:44:51.894000"),
            ("09:05", "09:05:00"),
            ("09:05:00+02:00", "09:05:00"),
            ("2024-02-29T12:00:00.5", "2024-02-29 12:00:00.500000"),
            ("2024-02-29T12:00:00.25+05:30", "2024-02-29 12:00:00.250000"),
            ("2024-02-29T12:00:00-08:00", "2024-02-29 12:00:00"),
            ("2024-02-29 12:00", "2024-02-29 12:00:00"),
        ];
        for (text, read) in cases {
            assert_eq!(iso(text).as_deref(), Some(read), "{text}");
        }
        assert_eq!(iso("soon"), None);
    }
}
