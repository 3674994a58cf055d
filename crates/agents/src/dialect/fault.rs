//! How upstreams say in an answer that they failed, each in its own shape.
use super::web::Trouble;
use crate::{
    Code,
    lenient::{Document, Json},
};

/// The failure in the member `error`, or in each of several, which every upstream may have beside
/// whatever else it says.
pub(super) fn named(value: Json<'_>) -> Result<(), Trouble> {
    let [error, errors] = value.members(["error", "errors"]);
    match [error, errors].into_iter().find(|it| it.is_set()) {
        Some(error) => Err(failed(error)),
        None => Ok(()),
    }
}

/// The failure of a value that has nothing of what a reply is made of: `detail`, `message`, a code,
/// or a type or status that is an error. A list is what its first item is.
pub(super) fn of_another_shape(value: Json<'_>) -> Result<(), Trouble> {
    let value = value.items().first().copied().unwrap_or(value);
    named(value)?;
    let names = ["type", "object", "status", "event", "success", "ok"];
    let [kind, object, status, event, success, ok] = value.members(names);
    let is_error = |it: Json<'_>| {
        let word = it.string().map(|it| it.to_ascii_lowercase());
        word.is_some_and(|it| matches!(&*it, "error" | "failed" | "failure" | "fail" | "exception"))
    };
    let [detail, message, code] = value.members(["detail", "message", "code"]);
    let has_code = code.number().is_some_and(|it| it >= 400)
        || code.is_string() && code.is_set() && code.number().is_none() && message.is_set();
    let told = [kind, object, status, event].into_iter().any(is_error)
        || [success, ok].into_iter().any(|it| it.raw() == "false")
        || status.number().is_some_and(|it| it >= 400)
        || detail.is_set() && [kind, status, event].iter().all(|it| it.is_null())
        || has_code;
    if told { Err(failed(value)) } else { Ok(()) }
}

/// The failure in an event that is named so, whatever is in it.
pub(super) fn event(data: &str) -> Trouble {
    Document::read(data).map_or_else(|_| Trouble::new(Code::Upstream, data), |it| failed(it.root()))
}

/// As it was told.
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
        let wrong: Vec<_> = none.into_iter().filter(|it| is_failure(it)).collect();
        assert_eq!(wrong, Vec::<&str>::new());
    }

    #[test]
    fn an_event_that_is_an_error_is_one_whatever_is_in_it() {
        assert_eq!(event("overloaded"), Trouble::new(Code::Upstream, "overloaded"));
        assert_eq!(event("{}"), Trouble::new(Code::Upstream, "{}"));
    }
}
