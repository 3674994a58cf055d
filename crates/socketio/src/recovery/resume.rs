//! Members that a client that lost its connection sends with its next CONNECT.
use std::sync::Arc;

use quadrille_core::Topic;
use serde_json::Value;

use super::registry::{Pid, Recovery, Resumed};

/// Bytes of a `pid`, and of an offset: more than any has.
const PID: usize = 64;
const OFFSET: usize = Topic::MAX + 64;

/// The socket that a client wants to resume, and the offset of the last packet that it got, if any
/// had one.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    recovery: Arc<Recovery>,
    pid: Pid,
    offset: Option<Box<str>>,
}

impl ResumeRequest {
    /// Reads the members `pid` and `offset` of the auth payload. `None` if they have another
    /// meaning to the client, or recovery is off.
    pub(crate) fn of(recovery: &Arc<Recovery>, pid: &Value, offset: &Value) -> Option<Self> {
        if !recovery.is_on() {
            return None;
        }
        let pid = pid.as_str().filter(|pid| pid.len() <= PID)?;
        let offset = match offset {
            Value::Null => None,
            Value::String(offset) if offset.len() <= OFFSET => Some(offset.as_str().into()),
            _ => return None,
        };
        Some(Self { recovery: Arc::clone(recovery), pid: Pid::of(pid), offset })
    }

    /// The topics that its socket follows; none if `user` cannot resume it.
    pub fn topics(&self, user: Option<&Arc<str>>) -> Vec<Topic> {
        self.recovery.topics(&self.pid, user).unwrap_or_default()
    }

    /// Takes the socket over for `user`; `None` if it is unknown, or its offset is. Nobody else can
    /// resume it from now on.
    pub(crate) fn take(&self, user: Option<&Arc<str>>) -> Option<Resumed> {
        self.recovery.take(&self.pid, self.offset.as_deref(), user)
    }

    pub(crate) fn into_offset(self) -> Option<Box<str>> {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_mean_something_else_are_no_request() {
        let recovery = Arc::new(Recovery::new(Duration::from_mins(1)));
        let long = "x".repeat(1000);
        for (pid, offset) in [
            (json!(null), json!(null)),
            (json!(7), json!("1-1 room:a")),
            (json!(long), json!(null)),
            (json!("p"), json!(5)),
            (json!("p"), json!(long)),
        ] {
            assert!(ResumeRequest::of(&recovery, &pid, &offset).is_none(), "{pid} {offset}");
        }
    }

    #[test]
    fn a_request_prints_no_pid() {
        let recovery = Arc::new(Recovery::new(Duration::from_mins(1)));
        let request = ResumeRequest::of(&recovery, &json!("secret"), &json!(null)).unwrap();
        assert!(!format!("{request:?}").contains("secret"));
    }
}
