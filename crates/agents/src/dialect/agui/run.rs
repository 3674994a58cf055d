//! Reading one run.
use std::time::Duration;

use quadrille_core::turn::{PendingKind, RawJson, TokenUsage, ToolState};

use super::{
    super::{
        facts, fault,
        reason::Reason,
        reply::{Parts, Reader, ReplyProgress},
        tools::Tools,
        web::Trouble,
    },
    messages::{Messages, alive},
    snapshot::{AskedQuestion, Snapshot, last_words},
    thoughts::Thoughts,
};
use crate::{
    Code, Part, Question,
    details::cut,
    lenient::{Document, Json},
    sse,
};

/// Bytes of a notice, a name or a prompt that are shown.
const MAX_NOTICE_BYTES: usize = 1000;

/// Requests of one run that are told.
const MAX_INTERRUPTS: usize = 64;

#[derive(Debug)]
pub(in crate::dialect) struct AguiReader {
    asked: AskedQuestion,
    messages: Messages,
    snapshot: Option<Snapshot>,
    thoughts: Thoughts,
    tools: Tools<String>,
    /// The tokens of all runs.
    usage: Option<TokenUsage>,
    /// Id of the message of the last message chunk.
    chunk: Option<String>,
    /// Id of the tool, if the last event was a tool chunk.
    tool: Option<String>,
    /// The text in the result of a run that has ended.
    result: Option<String>,
    finished: bool,
}

impl AguiReader {
    pub(in crate::dialect) fn new(question: &Question, max_reply: usize) -> Self {
        Self {
            asked: AskedQuestion::new(question),
            messages: Messages::new(max_reply),
            snapshot: None,
            thoughts: Thoughts::default(),
            tools: Tools::default(),
            usage: None,
            chunk: None,
            tool: None,
            result: None,
            finished: false,
        }
    }
}

impl Reader for AguiReader {
    /// Servers close after a run; few have another one in the same answer.
    const LINGER: Duration = Duration::from_secs(1);

    fn event(&mut self, event: &sse::SseEvent, parts: &mut Parts) -> Result<(), Trouble> {
        if event.kind == "error" {
            return Err(fault::event(&event.data));
        }
        if event.data.trim() == "[DONE]" {
            return Ok(());
        }
        let document = Document::read(&event.data)?;
        let event_data = document.root();
        if !event_data.is_object() {
            fault::of_another_shape(event_data)?;
            return Err(Trouble::new(Code::BadAnswer, "an event that is no object"));
        }
        let kind = event_data.get("type").string().unwrap_or_else(|| event.kind.clone());
        self.read(&kind.to_ascii_uppercase(), event_data, parts)
    }

    /// An answer as Cheshire Cat 2 gives it to `stream = false`.
    fn whole(&mut self, json: &str, parts: &mut Parts) -> Result<(), Trouble> {
        let document = Document::read(json)?;
        fault::named(document.root())?;
        let Some(text) = last_words(document.root()) else {
            fault::of_another_shape(document.root())?;
            return Err(Trouble::new(Code::BadAnswer, "no message of an assistant at its end"));
        };
        parts.push_back(Part::End(Some(text)));
        Ok(())
    }

    fn end(&mut self, parts: &mut Parts) -> Result<(), Trouble> {
        self.thoughts.end(parts);
        self.tools.end_all(parts);
        self.messages.end_all(parts)?;
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.add_to(&mut self.messages, parts)?;
        }
        // An agent that did not stream has its reply in the result.
        let text = self.result.take().filter(|_| !self.messages.has_text());
        parts.push_back(Part::End(text.or_else(|| self.messages.correction())));
        Ok(())
    }

    fn progress(&self) -> ReplyProgress {
        if self.finished { ReplyProgress::Complete } else { ReplyProgress::Open }
    }

    fn ends(&self, kind: &str) -> bool {
        kind == "error"
    }
}

impl AguiReader {
    fn read(&mut self, kind: &str, event: Json<'_>, parts: &mut Parts) -> Result<(), Trouble> {
        // Chunks of a tool end with whatever comes after them.
        if kind != "TOOL_CALL_CHUNK"
            && let Some(id) = self.tool.take()
        {
            self.tools.end(&id, parts);
        }
        match kind {
            "RUN_STARTED" => self.finished = false,
            "RUN_FINISHED" => return self.finish(event, parts),
            "RUN_ERROR" | "ERROR" | "RUN_FAILED" | "RUN_CANCELLED" => {
                self.count(event, parts);
                return Err(fault::failed(event));
            }
            "" => {
                fault::of_another_shape(event)?;
                alive(parts);
            }
            "STEP_STARTED" => notice(either(event, "stepName", "step_name"), parts),
            "CUSTOM" => {
                let [name, value] = event.members(["name", "value"]);
                let name = name.string().unwrap_or_default();
                let name = cut(&name, MAX_NOTICE_BYTES).to_owned();
                parts.push_back(Part::Data { name, value: RawJson::of(value.raw()) });
                notice(value, parts);
            }
            "MESSAGES_SNAPSHOT" => {
                self.snapshot = Some(self.asked.snapshot(event.get("messages")));
                alive(parts);
            }
            _ if kind.starts_with("TEXT_MESSAGE_") => return self.message(kind, event, parts),
            _ if kind.starts_with("TOOL_CALL_") => self.call(kind, event, parts),
            _ => {
                let names = ["REASONING_", "THINKING_TEXT_"];
                let thoughts = names.into_iter().find_map(|name| kind.strip_prefix(name));
                let Some(thoughts) = thoughts else {
                    // State, activities, and kinds that are not known yet.
                    alive(parts);
                    return Ok(());
                };
                let id = either(event, "messageId", "message_id").text();
                let piece = event.get("delta").words().unwrap_or_default();
                self.thoughts.read(thoughts, id, &piece, parts);
            }
        }
        Ok(())
    }

    fn message(&mut self, kind: &str, event: Json<'_>, parts: &mut Parts) -> Result<(), Trouble> {
        let id = either(event, "messageId", "message_id").text();
        let [role, delta] = event.members(["role", "delta"]);
        let is_muted = role.string().is_some_and(|role| role != "assistant");
        let piece = delta.words().unwrap_or_default();
        match kind {
            "TEXT_MESSAGE_START" => {
                self.messages.begin(id, is_muted);
                self.messages.advance(parts);
                alive(parts);
                Ok(())
            }
            "TEXT_MESSAGE_CONTENT" => self.messages.more(id.as_deref(), &piece, parts),
            "TEXT_MESSAGE_END" => {
                alive(parts);
                self.messages.end(id.as_deref(), parts)
            }
            "TEXT_MESSAGE_CHUNK" => {
                if id.is_some() && id != self.chunk {
                    if let Some(last) = self.chunk.take() {
                        self.messages.end(Some(&last), parts)?;
                    }
                    self.messages.begin(id.clone(), is_muted);
                    self.chunk = id;
                }
                self.messages.more(self.chunk.as_deref(), &piece, parts)
            }
            _ => {
                alive(parts);
                Ok(())
            }
        }
    }

    fn call(&mut self, kind: &str, event: Json<'_>, parts: &mut Parts) {
        let id = either(event, "toolCallId", "tool_call_id").text();
        let name = either(event, "toolCallName", "tool_call_name").string().unwrap_or_default();
        let delta = event.get("delta");
        let last = self.tools.last().cloned();
        match kind {
            "TOOL_CALL_START" => self.more(id.unwrap_or_default(), &name, Json::NULL, parts),
            "TOOL_CALL_ARGS" => self.more(id.or(last).unwrap_or_default(), "", delta, parts),
            "TOOL_CALL_RESULT" => {
                let [content, error] = event.members(["content", "error"]);
                let (state, output) = if error.is_set() {
                    (ToolState::Error, error)
                } else {
                    (ToolState::Output, content)
                };
                let id = id.unwrap_or_default();
                self.tools.end(&id, parts);
                self.tools.result(&id, &name, state, output, parts);
            }
            "TOOL_CALL_END" => self.tools.end(&id.or(last).unwrap_or_default(), parts),
            "TOOL_CALL_CHUNK" => {
                let other = self.tool.take_if(|open| id.as_ref().is_some_and(|id| id != open));
                if let Some(other) = other {
                    self.tools.end(&other, parts);
                }
                let id = id.or_else(|| self.tool.take()).unwrap_or_default();
                self.more(id.clone(), &name, delta, parts);
                self.tool = Some(id);
            }
            _ => {}
        }
        alive(parts);
    }

    fn more(&mut self, id: String, name: &str, arguments: Json<'_>, parts: &mut Parts) {
        let call = id.clone();
        self.tools.more(id, Some(&call), name, arguments, parts);
    }

    /// Adds the tokens of a run.
    fn count(&mut self, event: Json<'_>, parts: &mut Parts) {
        if let Some(usage) = facts::usage(event.get("usage")) {
            let all = self.usage.map_or(usage, |before| facts::sum(before, usage));
            self.usage = Some(all);
            parts.push_back(Part::Usage(all));
        }
    }

    fn finish(&mut self, event: Json<'_>, parts: &mut Parts) -> Result<(), Trouble> {
        let [outcome, result] = event.members(["outcome", "result"]);
        let told = [outcome, outcome.get("type")].into_iter().find_map(Json::string);
        self.count(event, parts);
        parts.extend(told.clone().map(Part::Reason));
        if told.as_deref() == Some("interrupt") {
            interrupts(outcome.get("interrupts"), parts);
            let notice = "the agent waits for a decision that cannot be given here";
            parts.push_back(Part::Status(notice.to_owned()));
        } else if Reason::of(outcome) == Some(Reason::GivenUp) {
            return Err(Trouble::new(Code::Upstream, format!("outcome {}", outcome.raw())));
        }
        self.tools.end_all(parts);
        self.messages.end_all(parts)?;
        self.result = last_words(result);
        self.finished = true;
        Ok(())
    }
}

/// Adds a notice of the agent itself, if it is a text.
fn notice(text: Json<'_>, parts: &mut Parts) {
    let Some(text) = text.string() else { return alive(parts) };
    parts.push_back(Part::Status(cut(&text, MAX_NOTICE_BYTES).to_owned()));
}

/// Adds the requests that a run waits for. One without an id cannot be answered, and is left out.
fn interrupts(requests: Json<'_>, parts: &mut Parts) {
    for request in requests.items().into_iter().take(MAX_INTERRUPTS) {
        let [id, reason, message] = request.members(["id", "reason", "message"]);
        let short = |text: &String| text.len() <= MAX_NOTICE_BYTES && !text.is_empty();
        let Some(ask) = id.text().filter(short) else { continue };
        let call = either(request, "toolCallId", "tool_call_id").text().filter(short);
        let reason = reason.string().unwrap_or_default();
        // The protocol has a call only for the approval of a tool, and no list of reasons.
        let approves = ["approv", "confirm", "permission"].iter().any(|word| reason.contains(word));
        let is_approval = call.is_some() || approves;
        let what = if is_approval { PendingKind::Approval } else { PendingKind::Input };
        let prompt = message.string().unwrap_or(reason);
        let prompt = cut(&prompt, MAX_NOTICE_BYTES).to_owned();
        parts.push_back(Part::Waiting { ask, what, call, prompt });
    }
}

/// A member by its name in the protocol, or by that of Cheshire Cat 2.
fn either<'a>(event: Json<'a>, name: &str, of_the_cat: &str) -> Json<'a> {
    let [standard, cat] = event.members([name, of_the_cat]);
    if standard.is_null() { cat } else { standard }
}
