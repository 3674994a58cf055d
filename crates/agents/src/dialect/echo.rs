//! `echo`: says the question back, word by word, so that everything can be tried without an agent.
use futures_util::{StreamExt, stream};

use crate::{Agent, Part, Question, Reply, ToolUse};

/// The embedded agent.
#[derive(Debug)]
pub(crate) struct Echo;

impl Agent for Echo {
    fn ask(&self, question: Question) -> Reply {
        let words: Vec<_> = question.text.split_inclusive(' ').map(str::to_owned).collect();
        let tool = Part::Tool(ToolUse {
            call: "call_1".to_owned(),
            name: "echo".to_owned(),
            text: format!("saying {} words back", words.len()),
            ..ToolUse::default()
        });
        let parts = [tool].into_iter().chain(words.into_iter().map(Part::Text));
        stream::iter(parts.chain([Part::End(None)]).map(Ok)).boxed()
    }
}
