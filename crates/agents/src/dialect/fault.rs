//! Failures that upstreams report within an answer, each in its own shape.
use super::web::Trouble;
use crate::{
    Code,
    lenient::{Document, Json},
};

/// Fails if there is a member `error` or `errors`, which every upstream may send beside anything
/// else.
pub(super) fn named(value: Json<'_>) -> Result<(), Trouble> {
    let [error, errors] = value.members(["error", "errors"]);
    match [error, errors].into_iter().find(|value| value.is_set()) {
        Some(error) => Err(failed(error)),
        None => Ok(()),
    }
}

/// Fails if a value without any part of a reply reports a failure: by `detail`, `message`, a code, or
/// a type or status that is an error. Of a list, the first item counts.
pub(super) fn of_another_shape(value: Json<'_>) -> Result<(), Trouble> {
    let value = value.items().first().copied().unwrap_or(value);
    named(value)?;
    let names = ["type", "object", "status", "event", "success", "ok"];
    let [kind, object, status, event, success, ok] = value.members(names);
    let is_error = |value: Json<'_>| {
        let word = value.string().map(|word| word.to_ascii_lowercase());
        word.is_some_and(|word| {
            matches!(&*word, "error" | "failed" | "failure" | "fail" | "exception")
        })
    };
    let [detail, message, code] = value.members(["detail", "message", "code"]);
    let has_code = code.number().is_some_and(|code| code >= 400)
        || code.is_string() && code.is_set() && code.number().is_none() && message.is_set();
    let told = [kind, object, status, event].into_iter().any(is_error)
        || [success, ok].into_iter().any(|value| value.raw() == "false")
        || status.number().is_some_and(|code| code >= 400)
        || detail.is_set() && [kind, status, event].iter().all(|value| value.is_null())
        || has_code;
    if told { Err(failed(value)) } else { Ok(()) }
}

/// The failure in an event of the name `error`, whatever its data.
pub(super) fn event(data: &str) -> Trouble {
    Document::read(data)
        .map_or_else(|_| Trouble::new(Code::Upstream, data), |document| failed(document.root()))
}

/// The failure, in the upstream's own words.
pub(super) fn failed(error: Json<'_>) -> Trouble {
    Trouble::new(Code::Upstream, error.raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_failure(json: &str) -> bool {
        let document = Document::read(json).unwrap();
        of_another_shape(document.root()).is_err()
    }

    #[test]
    fn errors_have_many_shapes() {
        let errors = [
            r#"{"error":"no"}"#,
            r#"{"error":{"message":"no"}}"#,
            r#"{"error":true}"#,
            r#"{"errors":["no"]}"#,
            r#"{"detail":"no"}"#,
            r#"{"detail":[{"msg":"no"}]}"#,
            r#"{"object":"error","message":"no"}"#,
            r#"{"type":"ERROR"}"#,
            r#"{"status":"failed"}"#,
            r#"{"status":500}"#,
            r#"{"success":false}"#,
            r#"{"code":429,"message":"no"}"#,
            r#"{"code":"429"}"#,
            r#"{"code":"quota","message":"no"}"#,
            r#"[{"error":{"code":400}}]"#,
        ];
        let none = [
            "{}",
            r#"{"error":null}"#,
            r#"{"error":false,"errors":[]}"#,
            r#"{"error":"","detail":null}"#,
            r#"{"status":"started"}"#,
            r#"{"type":"status","message":"thinking"}"#,
            r#"{"type":"progress","detail":"2 of 3"}"#,
            r#"{"code":200,"message":"ok"}"#,
            r#"{"code":0,"success":true}"#,
            "[]",
            "7",
            "\"error\"",
        ];
        assert!(errors.into_iter().all(is_failure));
        let wrong: Vec<_> = none.into_iter().filter(|json| is_failure(json)).collect();
        assert_eq!(wrong, Vec::<&str>::new());
    }

    #[test]
    fn an_event_that_is_an_error_is_one_whatever_is_in_it() {
        assert_eq!(event("overloaded"), Trouble::new(Code::Upstream, "overloaded"));
        assert_eq!(event("{}"), Trouble::new(Code::Upstream, "{}"));
    }
}
