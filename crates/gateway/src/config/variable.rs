//! Names of environment variables: the key that each sets, and those of other programs.
use figment::value::Value;

/// Prefix of all variables of the gateway.
pub(super) const PREFIX: &str = "QUADRILLE_";

/// Separator of section and key in the name of a variable.
pub(super) const NEST: &str = "__";

/// Guesses the key that an unknown variable was meant for. `rest` is its name without [`PREFIX`].
pub(super) fn nearest(rest: &str, defaults: &Value) -> Option<String> {
    fn keys(value: &Value, path: &str, into: &mut Vec<String>) {
        match value.as_dict() {
            Some(dict) => {
                for (key, value) in dict {
                    let dot = if path.is_empty() { "" } else { "." };
                    keys(value, &format!("{path}{dot}{key}"), into);
                }
            }
            None => into.push(path.to_owned()),
        }
    }
    let mut all = Vec::new();
    keys(defaults, "", &mut all);
    let meant = rest.to_lowercase();
    // Names in other programs.
    if matches!(&*meant, "port" | "host" | "address" | "bind") {
        return Some("server.listen".to_owned());
    }
    all.into_iter().min_by_key(|key| {
        let (_, last) = key.rsplit_once('.').unwrap_or(("", key));
        // The section is often omitted.
        distance(&key.replace('.', "_"), &meant).min(distance(last, &meant) + 1)
    })
}

/// Name of the variable that sets `key`.
pub(super) fn of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', NEST))
}

/// Whether a variable belongs to another program: Kubernetes and Docker set some for every service
/// whose name begins like ours, and tests of the gateway have some of their own.
pub(super) fn is_foreign(rest: &str, value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // `PORT`, `PORT_80_TCP`, `PORT_80_TCP_ADDR`, each perhaps after the rest of a service's name.
    let of_port = |text: &str| {
        let mut parts = text.split('_');
        let number = parts.next().is_some_and(digits);
        let protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
        number && protocol && matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"))
    };
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let port = rest == "PORT" || rest.ends_with("_PORT");
    let service = ["SERVICE_HOST", "SERVICE_PORT"].iter().any(|suffix| rest.contains(suffix));
    let one_port = rest.split_once("PORT_").is_some_and(|(_, tail)| of_port(tail));
    rest == "BIN" || rest.starts_with("TEST_") || service || one_port || port && is_address
}

/// Levenshtein distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = at;
        let mut last = at + 1;
        for (there, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let changed = before + usize::from(*there != letter);
            before = *cell;
            last = changed.min(before + 1).min(last + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_far_apart_as_it_takes_to_make_one_the_other() {
        let cases =
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("a", "a", 0)];
        for (one, other, expected) in cases {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn what_others_set_is_none_of_ours() {
        let foreign = [
            ("PORT", "tcp://10.0.0.1:80"),
            ("WEB_PORT", "udp://10.0.0.1:80"),
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "80"),
            ("SERVICE_PORT_HTTP", "80"),
            ("WEB_SERVICE_HOST", "10.0.0.1"),
            ("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("WEB_PORT_53_UDP_PROTO", "udp"),
            ("TEST_POSTGRES", "x"),
            ("BIN", "x"),
        ];
        for (rest, value) in foreign {
            assert!(is_foreign(rest, value), "{rest}");
        }
        for (rest, value) in [("PORT", "8080"), ("LISTEN", "x"), ("PORT_X", "1"), ("BINARY", "x")] {
            assert!(!is_foreign(rest, value), "{rest}");
        }
    }
}
