//! The bounds of everything that a reply has beside its text.
use std::sync::Arc;

use quadrille_core::turn::{
    CitedSource, Pending, RawJson, ReplyData, ReplyFile, Status, Tool, TurnEvent,
};

use crate::{
    Part, ToolUse,
    ticket::{AgentReport, TurnState},
};

/// Bytes of a tool's arguments or result, or of a value for the application.
const MAX_VALUE: usize = 64 << 10;

/// Bytes of a file's address, which may have the file in it.
const MAX_FILE: usize = 256 << 10;

/// Bytes of the reason for the end.
const MAX_REASON: usize = 64;

/// Bytes that a record counts besides its texts.
const OVERHEAD: usize = 256;

/// The mark of a text that was cut.
pub(crate) const CUT_MARK: &str = "…";

/// Makes records of the parts of one reply that are neither text nor thoughts. All of them together
/// have at most as many bytes as the text may have. Beyond a bound a tool's arguments and result, and
/// whole sources, files and values, are left out, and a long text is cut; the reply goes on.
pub(crate) struct Details<'a> {
    turn: &'a TurnState,
    /// Bytes that further records may have.
    left: usize,
    is_short: bool,
    pub(crate) report: AgentReport,
}

impl<'a> Details<'a> {
    pub(crate) fn new(turn: &'a TurnState) -> Self {
        let report = AgentReport::default();
        Self { turn, left: turn.agent.max_reply, is_short: false, report }
    }

    /// The record of `part`, if it is to have one of its own.
    pub(crate) fn event(&mut self, part: Part) -> Option<TurnEvent> {
        let turn = self.turn.id;
        Some(match part {
            Part::Text(_) | Part::Reasoning(_) | Part::End(_) => return None,
            Part::Usage(usage) => {
                self.report.usage = Some(usage);
                return None;
            }
            Part::Reason(reason) => {
                self.report.reason = Some(Arc::from(cut(&reason, MAX_REASON)));
                return None;
            }
            Part::Status(text) => TurnEvent::Status(Status { turn, text }),
            Part::Tool(ToolUse { call, name, state, text, input, output }) => {
                let input = input.and_then(|input| self.value(input));
                let output = output.and_then(|output| self.value(output));
                TurnEvent::Tool(Tool { turn, call, name, state, text, input, output })
            }
            Part::Source { url, title } => {
                let fits = url.len() + title.len() <= MAX_VALUE;
                self.take(url.len() + title.len(), fits)?;
                TurnEvent::Source(CitedSource { turn, url, title })
            }
            Part::File { url, media_type, name } => {
                let size = url.len() + media_type.len() + name.len();
                self.take(size, size <= MAX_FILE)?;
                TurnEvent::File(ReplyFile { turn, url, media_type, name })
            }
            Part::Data { name, value } => {
                self.take(name.len(), name.len() <= MAX_VALUE)?;
                TurnEvent::Data(ReplyData { turn, name, value: self.value(value)? })
            }
            Part::Waiting { ask, what, call, prompt } => {
                TurnEvent::Waiting(Pending { turn, ask, what, call, prompt })
            }
        })
    }

    /// A value within the bounds: of a text that is too long, the beginning.
    fn value(&mut self, value: RawJson) -> Option<RawJson> {
        let size = value.get().len();
        if size <= MAX_VALUE.min(self.left) {
            self.take(size, true)?;
            return Some(value);
        }
        let text = serde_json::from_str::<String>(value.get()).ok();
        let begin = text.filter(|_| self.left > MAX_VALUE).map(|text| {
            let begin = cut(&text, MAX_VALUE / 2);
            RawJson::string(&[begin, CUT_MARK].concat())
        });
        self.take(begin.as_ref().map_or(size, |begin| begin.get().len()), begin.is_some())?;
        begin
    }

    /// Takes room for a record, or notes that it is left out.
    fn take(&mut self, size: usize, fits: bool) -> Option<()> {
        let left = self.left.checked_sub(size + OVERHEAD).filter(|_| fits);
        if let Some(left) = left {
            self.left = left;
        } else if !std::mem::replace(&mut self.is_short, true) {
            let (agent, turn) = (&self.turn.agent.name, self.turn.id);
            tracing::warn!(%agent, %turn, "details of a reply are left out: they are too large");
        }
        left.map(drop)
    }
}

/// The beginning of `text`, of at most `bytes`.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}
