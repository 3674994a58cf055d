//! Media types that a client accepts (RFC 9110, 12.5.1).
use http::{HeaderMap, header::ACCEPT};

/// Whether a client names `media` as one that it accepts. A range such as `*/*` names none, and one
/// with the weight 0 is refused.
pub fn accepts(headers: &HeaderMap, media: &str) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media));
        named && !parts.any(is_refusal)
    })
}

/// Whether a parameter is a weight of 0.
fn is_refusal(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q")
        && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_taken_unless_its_weight_is_0() {
        let takes = |sent: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            accepts(&headers, "text/event-stream")
        };
        let yes: [&[&str]; 7] = [
            &["text/event-stream"],
            &["Text/Event-Stream"],
            &["application/json, text/event-stream"],
            &["application/json", "text/event-stream"],
            &["text/event-stream;q=0.1"],
            &["text/event-stream; charset=utf-8; Q=1.000"],
            &["text/event-stream;q=x"],
        ];
        for sent in yes {
            assert!(takes(sent), "{sent:?}");
        }
        let no: [&[&str]; 8] = [
            &[],
            &["*/*"],
            &["text/*"],
            &["application/json"],
            &["text/event-stream;q=0"],
            &["text/event-stream; Q = 0.000, */*"],
            &["text/event-stream;charset=utf-8;q=0.0"],
            &["application/x; a=text/event-stream"],
        ];
        for sent in no {
            assert!(!takes(sent), "{sent:?}");
        }
    }
}
