//! Rounds of one case as their medians, and cases as a table.
use serde_json::{Map, Value};

/// Columns of a table, if its cases have them: the field of a report, and the head.
const COLUMNS: [(&str, &str); 50] = [
    ("server", "server"),
    ("scenario", "scenario"),
    ("operation", "operation"),
    ("mode", "mode"),
    ("channels", "channels"),
    ("readers_per_channel", "readers"),
    ("connections", "connections"),
    ("inflight", "in flight"),
    ("rate", "messages/s"),
    ("rounds", "rounds"),
    ("seconds", "seconds"),
    ("rows_per_s", "rows/s"),
    ("us_per_row", "CPU µs/row"),
    ("peak_mib", "peak MiB"),
    ("output_mib", "output MiB"),
    ("callers", "callers"),
    ("requests", "requests"),
    ("us_per_request", "CPU µs/request"),
    ("requests_per_s", "requests/s"),
    ("size", "bytes"),
    ("us_per_delivery", "CPU µs/delivery"),
    ("us_per_publication", "CPU µs/publication"),
    ("deliveries_per_s", "deliveries/s"),
    ("us_per_round_trip", "CPU µs/round trip"),
    ("round_trips_per_s", "round trips/s"),
    ("latency_p50_us", "p50 µs"),
    ("latency_p99_us", "p99 µs"),
    ("us_per_accept_subscribe", "CPU µs/connect"),
    ("idle_cpu_ms_per_s", "idle CPU ms/s"),
    ("kib_per_connection", "KiB/connection"),
    ("rss_after_kib", "RSS KiB"),
    ("upstream_most", "upstream at most"),
    ("upstream_all", "upstream in all"),
    ("ready_ms", "ready after ms"),
    ("binary_kib", "binary KiB"),
    ("rss_kib", "RSS KiB at start"),
    ("stuck.readers", "stuck"),
    ("stuck.rss_growth_kib", "growth KiB"),
    ("stuck.told_readers", "stuck told"),
    ("wrong", "wrong"),
    ("failed", "failed"),
    ("lost", "lost"),
    ("duplicated", "twice"),
    ("out_of_order", "out of order"),
    ("skipped_untold", "lost in silence"),
    ("closed_readers", "readers closed"),
    ("closed_publishers", "publishers closed"),
    ("stalled", "stalled"),
    ("cut_off", "cut off"),
    ("note", "note"),
];

/// Numbers become their median over the rounds; everything else is as in the first round.
pub(super) fn median(rounds: &[Value]) -> Option<Value> {
    let first = rounds.first()?.as_object()?;
    let mut fields = Map::new();
    for (name, value) in first {
        let all: Vec<_> = rounds.iter().map(|round| round[name].clone()).collect();
        let middle = match value {
            Value::Number(_) => middle(all),
            Value::Object(_) => median(&all).unwrap_or(Value::Null),
            Value::Bool(_) => all.contains(&Value::Bool(true)).into(),
            other => other.clone(),
        };
        fields.insert(name.clone(), middle);
    }
    Some(fields.into())
}

fn middle(mut numbers: Vec<Value>) -> Value {
    numbers.sort_by(|a, b| {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        number(a).total_cmp(&number(b))
    });
    numbers.swap_remove(numbers.len() / 2)
}

/// A column for each field that a row has.
pub(super) fn markdown(rows: &[Value]) -> String {
    let has = |field: &str| rows.iter().any(|row| !get(row, field).is_null());
    let columns: Vec<_> = COLUMNS.iter().filter(|(field, _)| has(field)).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|(_, head)| (*head).to_owned()).collect());
    text += &line(columns.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        text += &line(columns.iter().map(|(field, _)| shown(get(row, field))).collect());
    }
    text
}

fn get<'a>(row: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(row, |value, name| &value[name])
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            if number >= 1000.0 { format!("{number:.0}") } else { format!("{number:.2}") }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_shows_the_medians_of_the_rounds() {
        let round = |cost: f64, growth: u64, stalled: bool| {
            let stuck = json!({"rss_growth_kib": growth});
            json!({"scenario": "stuck", "us_per_delivery": cost, "stuck": stuck, "stalled": stalled})
        };
        let rounds = [round(3.5, 30, false), round(1.0, 10, true), round(2.0, 20, false)];
        let expected = "\
| scenario | CPU µs/delivery | growth KiB | stalled |
| --- | --- | --- | --- |
| stuck | 2.00 | 20 | true |
";
        assert_eq!(markdown(&[median(&rounds).unwrap()]), expected);
    }

    #[test]
    fn no_rounds_have_no_median() {
        assert_eq!(median(&[]), None);
    }
}
