//! An agent under the name that the configuration gives it.
use std::{fmt, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};

use crate::{Agent, Code, Kind, Question, Reply, Settings};

/// An agent, its name, and the bounds of its replies.
pub struct NamedAgent {
    pub(crate) name: Arc<str>,
    pub(crate) agent: Arc<dyn Agent>,
    pub(crate) first_token_timeout: Duration,
    pub(crate) token_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) max_reply: usize,
}

impl NamedAgent {
    pub fn new(name: &str, agent: Arc<dyn Agent>, settings: &Settings) -> Self {
        let Settings { first_token_timeout, token_timeout, total_timeout, max_reply, .. } =
            *settings;
        Self {
            name: name.into(),
            agent,
            first_token_timeout,
            token_timeout,
            total_timeout,
            max_reply,
        }
    }

    /// Stands for an agent that is not configured any more, in a turn that has ended.
    pub(crate) fn absent(name: &str) -> Self {
        Self::new(name, Arc::new(MissingAgent), &Settings::new(Kind::Echo))
    }
}

/// Is never asked.
struct MissingAgent;

impl Agent for MissingAgent {
    fn ask(&self, _: Question) -> Reply {
        stream::iter([Err(Code::NoAgent.into())]).boxed()
    }
}

impl fmt::Debug for NamedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedAgent").field("name", &self.name).finish_non_exhaustive()
    }
}
