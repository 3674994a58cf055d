//! Dates in every known form, and texts that only look like one.
use super::*;

const NOW: &str = "2026-11-20T22:06:37";

fn reading(day_first: bool) -> Reading {
    Reading { day_first, now: NOW.parse().unwrap() }
}

fn parse(text: &str) -> Option<String> {
    Moment::parse(text, reading(false)).map(|moment| moment.civil.to_string())
}

#[test]
fn dates_are_read_in_every_usual_form() {
    let day = "2024-01-15T00:00:00";
    for text in [
        "2024-01-15",
        "2024/01/15",
        "2024-1-15",
        "20240115",
        "1/15/2024",
        "15/01/2024",
        "15.01.2024",
        "15-01-2024",
        "15 January 2024",
        "15-Jan-24",
        "Jan 15, 2024",
        "January 15, 2024",
        "Monday, January 15, 2024",
        "January 15th 2024",
        " 2024-01-15 ",
    ] {
        assert_eq!(parse(text).as_deref(), Some(day), "{text}");
    }
    let cases = [
        ("2024-01", "2024-01-01T00:00:00"),
        ("2024", "2024-01-01T00:00:00"),
        ("Jan 2024", "2024-01-01T00:00:00"),
        ("1/2/24", "2024-01-02T00:00:00"),
        ("1/2/69", "1969-01-02T00:00:00"),
        ("today", "2026-11-20T00:00:00"),
        ("NOW", NOW),
    ];
    for (text, date) in cases {
        assert_eq!(parse(text).as_deref(), Some(date), "{text}");
    }
}

#[test]
fn times_and_zones_are_read() {
    let cases = [
        ("2024-01-15 10:00:00", "2024-01-15T10:00:00"),
        ("2024-01-15T10:00:00.5", "2024-01-15T10:00:00.5"),
        ("20240115T103000", "2024-01-15T10:30:00"),
        ("1/15/2024 3:04 PM", "2024-01-15T15:04:00"),
        ("Jan 15, 2024 12:30 am", "2024-01-15T00:30:00"),
        ("10:30 AM", "2026-11-20T10:30:00"),
    ];
    for (text, date) in cases {
        assert_eq!(parse(text).as_deref(), Some(date), "{text}");
    }
    let instant = |text| Moment::parse(text, reading(false)).unwrap().instant().to_string();
    assert_eq!(instant("2024-01-15T10:00:00Z"), "2024-01-15T10:00:00");
    assert_eq!(instant("2024-01-15 10:00+02:00"), "2024-01-15T08:00:00");
    assert_eq!(instant("2024-01-15 10:00:00 -0530"), "2024-01-15T15:30:00");
    assert_eq!(instant("2024-01-15"), "2024-01-15T00:00:00");
}

#[test]
fn what_is_no_date_is_none() {
    for text in [
        "",
        "junk",
        "Q1 2024",
        "45306",
        "1705276800",
        "2024年1月15日",
        "30.02.2024",
        "2024-13-01",
        "1/2-2024",
        "13/13/2024",
        "0000-01-01",
        "25:00",
        "13:00 PM",
        "5 Jan 15, 2024",
        "Jam 2024",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn a_column_tells_the_order_of_day_and_month() {
    let day_first = |texts: &[&str]| {
        let mut evidence = Evidence::default();
        for text in texts {
            evidence.add(&Cell::from(*text));
        }
        evidence.day_first()
    };
    assert!(!day_first(&["01/02/2024"]));
    assert!(day_first(&["01/02/2024", "13/02/2024 10:00"]));
    assert!(!day_first(&["01/02/2024", "02/13/2024"]));
    assert!(!day_first(&["13/02/2024", "02/13/2024"]));
    let first = Moment::parse("01/02/2024", reading(true)).unwrap().civil;
    assert_eq!(first.to_string(), "2024-02-01T00:00:00");
    let other = Moment::parse("02/13/2024", reading(true)).unwrap().civil;
    assert_eq!(other.to_string(), "2024-02-13T00:00:00");
}
