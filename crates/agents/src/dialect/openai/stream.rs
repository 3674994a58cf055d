//! What has been heard of one answer.
use super::{
    super::{
        fault,
        reason::Reason,
        reply::{Parts, Reader, Standing},
        web::Trouble,
    },
    calls::Calls,
};
use crate::{
    Code, Part,
    lenient::{Document, Halves, Json},
    sse::Event,
};

#[derive(Debug, Default)]
pub(super) struct Stream {
    calls: Calls,
    halves: Halves,
    told: Told,
    /// The choice that counts, once one was told.
    choice: Option<u64>,
    has_text: bool,
    /// Text has come as a `delta`, so that a whole `message` beside it repeats it.
    has_delta: bool,
    /// It was told that the reply was cut off.
    is_cut: bool,
}

/// What was told of the end.
#[derive(Debug, Default)]
struct Told {
    /// Why the reply is over.
    reason: Option<Reason>,
    /// Text has come since.
    goes_on: bool,
    /// Text has come after the reply was told to be whole, so that this says little.
    is_unsure: bool,
}

/// In which order the members of a choice are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Chunk,
    Whole,
}

// === impl Stream ===

impl Reader for Stream {
    fn event(&mut self, event: &Event, parts: &mut Parts) -> Result<(), Trouble> {
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
        parts.extend(self.halves.end().map(|it| Part::Text(it.into())));
        self.calls.end(parts);
        parts.push_back(Part::End(None));
        Ok(())
    }

    fn standing(&self) -> Standing {
        self.told.standing()
    }

    fn ends(&self, kind: &str) -> bool {
        kind == "error"
    }
}

impl Stream {
    /// False if there is no choice in it, as in chunks that tell what was used.
    fn read(&mut self, json: &str, way: Way, parts: &mut Parts) -> Result<bool, Trouble> {
        let document = Document::read(json)?;
        let chunk = document.root();
        fault::named(chunk)?;
        let choices = chunk.get("choices").items();
        if choices.is_empty() {
            fault::of_another_shape(chunk)?;
            let is_told = [chunk.get("message"), chunk.get("code")].iter().any(|it| it.is_string());
            return match () {
                () if is_told => Err(fault::failed(chunk)),
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

    /// Of several choices, which there are only if the configuration asks for it, the first. Not all
    /// servers count from 0, or count at all.
    fn counted<'a>(&mut self, choices: &[Json<'a>]) -> Option<Json<'a>> {
        let index = |it: &Json<'_>| it.get("index").number().unwrap_or_default();
        let counts = match self.choice {
            Some(counts) if self.has_text => counts,
            _ if choices.iter().any(|it| index(it) == 0) => 0,
            Some(counts) => counts,
            None => index(choices.first()?),
        };
        self.choice = Some(counts);
        choices.iter().find(|it| index(it) == counts).copied()
    }

    fn choice(&mut self, choice: Json<'_>, way: Way, parts: &mut Parts) -> Result<(), Trouble> {
        fault::named(choice)?;
        let names = ["delta", "message", "text", "finish_reason"];
        let [delta, message, text, reason] = choice.members(names);
        let said = match way {
            Way::Chunk => {
                let said = self.message(delta, parts)?;
                self.has_delta |= said && self.has_text;
                said || message.is_object() && !self.has_delta && self.message(message, parts)?
            }
            Way::Whole => self.message(message, parts)? || self.message(delta, parts)?,
        };
        if !said && !text.is_null() && !self.has_delta {
            self.text(text, parts);
        }
        Reason::of(reason).map_or(Ok(()), |it| self.finish(it, reason, parts))
    }

    /// A message, or more of one. Thoughts and arguments of tools are no text, but a sign of life.
    /// False if nothing was said.
    fn message(&mut self, message: Json<'_>, parts: &mut Parts) -> Result<bool, Trouble> {
        if message.is_string() {
            return Ok(self.text(message, parts));
        }
        fault::named(message)?;
        let names = ["content", "refusal", "tool_calls", "function_call"];
        let [content, refusal, calls, function] = message.members(names);
        let mut said = self.text(content, parts);
        said |= refusal.is_set() && self.text(refusal, parts);
        said |= self.calls.read(calls, parts);
        said |= self.calls.read_only(function, parts);
        Ok(said)
    }

    fn text(&mut self, text: Json<'_>, parts: &mut Parts) -> bool {
        let words = text.words().unwrap_or_default();
        let text = self.halves.join(&words);
        if !words.is_empty() {
            self.has_text = true;
            self.told.text();
        }
        parts.push_back(Part::Text(text));
        !words.is_empty()
    }

    fn finish(&mut self, reason: Reason, told: Json<'_>, parts: &mut Parts) -> Result<(), Trouble> {
        self.calls.end(parts);
        self.told.reason(reason);
        let notice = match reason {
            Reason::GivenUp => {
                return Err(Trouble::new(Code::Upstream, format!("finish_reason {}", told.raw())));
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

// === impl Told ===

impl Told {
    fn text(&mut self) {
        self.goes_on = true;
        self.is_unsure |= self.reason.is_some_and(|it| it != Reason::Tools);
    }

    fn reason(&mut self, reason: Reason) {
        (self.reason, self.goes_on) = (Some(reason), false);
    }

    fn standing(&self) -> Standing {
        match (self.reason, self.goes_on) {
            (None, _) | (Some(Reason::Tools), true) => Standing::Open,
            (Some(Reason::Tools), false) | (_, true) => Standing::Paused,
            (Some(_), false) if self.is_unsure => Standing::Paused,
            (Some(_), false) => Standing::Complete,
        }
    }
}
