//! Reading one answer.
use super::{
    super::{
        facts::{self, CitedSources},
        fault,
        reason::Reason,
        reply::{Parts, Reader, ReplyProgress},
        web::Trouble,
    },
    calls::Calls,
};
use crate::{
    Code, Part,
    lenient::{Document, Halves, Json},
    sse::SseEvent,
};

#[derive(Debug, Default)]
pub(in crate::dialect) struct OpenaiReader {
    calls: Calls,
    sources: CitedSources,
    halves: Halves,
    thoughts: ThoughtsState,
    ending: Finish,
    /// The choice that counts, once one has come.
    choice: Option<u64>,
    has_text: bool,
    /// Text has come as a `delta`, so that a whole `message` beside it repeats it.
    has_delta: bool,
    /// A notice says that the reply was cut off.
    is_cut: bool,
}

/// The state of reading thoughts.
#[derive(Debug, Default)]
struct ThoughtsState {
    halves: Halves,
    has_come: bool,
}

/// The announced end of the reply.
#[derive(Debug, Default)]
struct Finish {
    /// The reason for the end.
    reason: Option<Reason>,
    /// Text has come since.
    goes_on: bool,
    /// Text has come after the reply was announced as whole, so announcements mean little.
    is_unsure: bool,
}

/// The order in which the members of a choice are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Chunk,
    Whole,
}

// === impl OpenaiReader ===

impl Reader for OpenaiReader {
    fn event(&mut self, event: &SseEvent, parts: &mut Parts) -> Result<(), Trouble> {
        if event.kind == "error" {
            return Err(fault::event(&event.data));
        }
        if event.data.trim_start().starts_with("[DONE]") {
            return self.end(parts);
        }
        self.read(&event.data, Way::Chunk, parts).map(drop)
    }

    fn whole(&mut self, json: &str, parts: &mut Parts) -> Result<(), Trouble> {
        if !self.read(json, Way::Whole, parts)? {
            return Err(Trouble::new(Code::BadAnswer, "no choice with a message"));
        }
        self.end(parts)
    }

    fn end(&mut self, parts: &mut Parts) -> Result<(), Trouble> {
        parts.extend(self.thoughts.halves.end().map(|half| Part::Reasoning(half.into())));
        parts.extend(self.halves.end().map(|half| Part::Text(half.into())));
        self.calls.end(parts);
        parts.push_back(Part::End(None));
        Ok(())
    }

    fn progress(&self) -> ReplyProgress {
        self.ending.progress()
    }

    fn ends(&self, kind: &str) -> bool {
        kind == "error"
    }
}

impl OpenaiReader {
    /// Reads a chunk or a whole answer. False if there is no choice in it, as in chunks with the
    /// usage.
    fn read(&mut self, json: &str, way: Way, parts: &mut Parts) -> Result<bool, Trouble> {
        let document = Document::read(json)?;
        let chunk = document.root();
        fault::named(chunk)?;
        let [choices, usage, own] = chunk.members(["choices", "usage", "x_groq"]);
        let usage = [usage, own.get("usage")].into_iter().find_map(facts::usage);
        parts.extend(usage.map(Part::Usage));
        let choices = choices.items();
        if choices.is_empty() {
            fault::of_another_shape(chunk)?;
            let has_word =
                [chunk.get("message"), chunk.get("code")].iter().any(|member| member.is_string());
            return match () {
                () if has_word => Err(fault::failed(chunk)),
                () if !chunk.is_object() => {
                    Err(Trouble::new(Code::BadAnswer, "a chunk that is no object"))
                }
                () => Ok(false),
            };
        }
        if let Some(choice) = self.counted(&choices) {
            self.choice(choice, way, parts)?;
        }
        Ok(true)
    }

    /// The first of several choices, which come only if the configuration asks for them. Not all
    /// servers count from 0, or count at all.
    fn counted<'a>(&mut self, choices: &[Json<'a>]) -> Option<Json<'a>> {
        let index = |choice: &Json<'_>| choice.get("index").number().unwrap_or_default();
        let counts = match self.choice {
            Some(counts) if self.has_text => counts,
            _ if choices.iter().any(|choice| index(choice) == 0) => 0,
            Some(counts) => counts,
            None => index(choices.first()?),
        };
        self.choice = Some(counts);
        choices.iter().find(|choice| index(choice) == counts).copied()
    }

    fn choice(&mut self, choice: Json<'_>, way: Way, parts: &mut Parts) -> Result<(), Trouble> {
        fault::named(choice)?;
        let names = ["delta", "message", "text", "finish_reason"];
        let [delta, message, text, reason] = choice.members(names);
        let said = match way {
            Way::Chunk => {
                let said = self.message(delta, true, parts)?;
                self.has_delta |= said && self.has_text;
                let is_new = message.is_object() && !self.has_delta;
                said || is_new && self.message(message, !self.thoughts.has_come, parts)?
            }
            Way::Whole => {
                self.message(message, true, parts)? || self.message(delta, true, parts)?
            }
        };
        if !said && !text.is_null() && !self.has_delta {
            self.text(text, parts);
        }
        Reason::of(reason).map_or(Ok(()), |end| self.finish(end, reason, parts))
    }

    /// Reads a message, or a piece of one; its thoughts unless they are a repetition. Arguments of tools
    /// show that the agent is alive. False if nothing was said.
    fn message(
        &mut self,
        message: Json<'_>,
        thinks: bool,
        parts: &mut Parts,
    ) -> Result<bool, Trouble> {
        if message.is_string() {
            return Ok(self.text(message, parts));
        }
        fault::named(message)?;
        let names = ["content", "refusal", "tool_calls", "function_call"];
        let [content, refusal, calls, function] = message.members(names);
        if thinks {
            self.thoughts(message, content, parts);
        }
        let mut said = self.text(content, parts);
        said |= refusal.is_set() && self.text(refusal, parts);
        said |= self.calls.read(calls, parts);
        said |= self.calls.read_only(function, parts);
        let [cited, images] = message.members(["annotations", "images"]);
        self.sources.read(cited, parts);
        for image in images.items() {
            let url = image.get("image_url").get("url").string();
            parts.extend(url.map(|url| facts::file(url, "image")));
        }
        Ok(said)
    }

    /// Reads the thoughts of a message: of its own member, or among the parts of its content.
    fn thoughts(&mut self, message: Json<'_>, content: Json<'_>, parts: &mut Parts) {
        let own = message.members(["reasoning_content", "reasoning"]);
        let own = own.into_iter().find(|thoughts| thoughts.is_set());
        let is_thinking =
            |part: &Json<'_>| part.get("type").string().as_deref() == Some("thinking");
        let among = content.items().into_iter().filter(is_thinking);
        let among = among.map(|part| part.get("thinking"));
        for words in own.into_iter().chain(among).filter_map(Json::words) {
            let thoughts = self.thoughts.halves.join(&words);
            if !words.is_empty() {
                self.thoughts.has_come = true;
                self.ending.thoughts();
                self.calls.end_complete(parts);
            }
            parts.push_back(Part::Reasoning(thoughts));
        }
    }

    fn text(&mut self, text: Json<'_>, parts: &mut Parts) -> bool {
        let words = text.words().unwrap_or_default();
        let text = self.halves.join(&words);
        if !text.trim().is_empty() {
            self.calls.end_complete(parts);
        }
        if !words.is_empty() {
            self.has_text = true;
            self.ending.text();
        }
        parts.push_back(Part::Text(text));
        !words.is_empty()
    }

    fn finish(&mut self, reason: Reason, word: Json<'_>, parts: &mut Parts) -> Result<(), Trouble> {
        self.calls.end(parts);
        self.ending.reason(reason);
        let [kind, other] = word.members(["type", "reason"]);
        parts.extend([word, kind, other].into_iter().find_map(Json::string).map(Part::Reason));
        let notice = match reason {
            Reason::GivenUp => {
                return Err(Trouble::new(Code::Upstream, format!("finish_reason {}", word.raw())));
            }
            Reason::Filter if !self.has_text => {
                return Err(Trouble::new(Code::Upstream, "nothing passed the content filter"));
            }
            Reason::Length => "the agent stopped at its limit of length",
            Reason::Filter => "the agent's content filter ended the reply",
            Reason::Whole | Reason::Tools => return Ok(()),
        };
        if !std::mem::replace(&mut self.is_cut, true) {
            parts.push_back(Part::Status(notice.to_owned()));
        }
        Ok(())
    }
}

// === impl Finish ===

impl Finish {
    fn text(&mut self) {
        self.goes_on = true;
        self.is_unsure |= self.reason.is_some_and(|reason| reason != Reason::Tools);
    }

    /// Thoughts after tools show that the upstream goes on.
    fn thoughts(&mut self) {
        self.goes_on |= self.reason == Some(Reason::Tools);
    }

    fn reason(&mut self, reason: Reason) {
        (self.reason, self.goes_on) = (Some(reason), false);
    }

    fn progress(&self) -> ReplyProgress {
        match (self.reason, self.goes_on) {
            (None, _) | (Some(Reason::Tools), true) => ReplyProgress::Open,
            (Some(Reason::Tools), false) | (_, true) => ReplyProgress::Paused,
            (Some(_), false) if self.is_unsure => ReplyProgress::Paused,
            (Some(_), false) => ReplyProgress::Complete,
        }
    }
}
