//! From the events of an answer to the parts of a reply: the part that all dialects over HTTP share.
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use reqwest::Response;
use tokio::time::timeout;

use super::web::{Answer, Trouble, Web};
use crate::{
    Code, Failure, Part, Reply,
    sse::{Decoder, SseEvent},
};

pub(super) type Parts = VecDeque<Part>;

/// The progress of a reply, which decides on the meaning of the end of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyProgress {
    /// The reply goes on: an answer that ends has broken off.
    Open,
    /// The reply may go on, or be over: an answer that ends in order ends it.
    Paused,
    /// The reply is over, unless more comes. However the answer ends, or if it never does, the reply
    /// was whole.
    Complete,
}

/// Makes the parts of one reply out of an answer. An error ends the reply, and so does
/// [`Part::End`]; nothing comes after either.
pub(super) trait Reader: Send + 'static {
    /// Timeout of the end of an answer whose reply is complete: some go on after they have announced
    /// the end, and some never end.
    const LINGER: Duration = Duration::from_secs(10);

    /// Reads an event of a streamed answer. Events with blank data are skipped unless their name
    /// [means something](Self::ends).
    fn event(&mut self, event: &SseEvent, parts: &mut Parts) -> Result<(), Trouble>;

    /// Reads an answer in one piece.
    fn whole(&mut self, json: &str, parts: &mut Parts) -> Result<(), Trouble>;

    /// Ends the answer and the reply. Adds the last parts, of which the last is [`Part::End`].
    fn end(&mut self, parts: &mut Parts) -> Result<(), Trouble>;

    fn progress(&self) -> ReplyProgress;

    /// Whether an event of this name means something without data.
    fn ends(&self, _kind: &str) -> bool {
        false
    }
}

/// Posts `body`, and lets `reader` read the answer.
pub(super) fn reply(web: &Arc<Web>, body: Vec<u8>, reader: impl Reader) -> Reply {
    let web = Arc::clone(web);
    let run =
        ReplyState { web, reader, parts: Parts::new(), failure: None, stage: Stage::Ask(body) };
    stream::try_unfold(run, ReplyState::next).boxed()
}

struct ReplyState<R> {
    web: Arc<Web>,
    reader: R,
    /// Parts of the last event.
    parts: Parts,
    /// The failure that comes after the parts.
    failure: Option<Failure>,
    stage: Stage,
}

enum Stage {
    Ask(Vec<u8>),
    Read(Box<Events>),
    Over,
}

/// A streamed answer. Dropping it closes its connection, or resets its stream of one.
struct Events {
    answer: Response,
    decoder: Decoder,
    /// Events of the last bytes.
    queue: VecDeque<SseEvent>,
    /// The bytes after those events cannot be decoded.
    broken: bool,
    /// No more bytes come. The last event of the queue may have been cut off.
    ended: bool,
}

/// Reads an event. One at the end of an answer may have been cut off; then it does not count.
fn read(
    reader: &mut impl Reader,
    event: &SseEvent,
    cut: bool,
    parts: &mut Parts,
) -> Result<(), Trouble> {
    if event.data.trim().is_empty() && !reader.ends(&event.kind) {
        return Ok(());
    }
    match reader.event(event, parts) {
        Err(Trouble { code: Code::BadAnswer, .. }) if cut => Ok(()),
        read => read,
    }
}

/// Ends an answer, in the sense that `progress` gives to its end.
fn over(
    reader: &mut impl Reader,
    progress: ReplyProgress,
    parts: &mut Parts,
) -> Result<(), Trouble> {
    match progress {
        ReplyProgress::Open => {
            Err(Trouble::new(Code::BrokenOff, "the stream ended before the reply"))
        }
        ReplyProgress::Paused | ReplyProgress::Complete => reader.end(parts),
    }
}

// === impl ReplyState ===

impl<R: Reader> ReplyState<R> {
    async fn next(mut self) -> Result<Option<(Part, Self)>, Failure> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                if matches!(part, Part::End(_)) {
                    self.stage = Stage::Over;
                }
                return Ok(Some((part, self)));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if matches!(self.stage, Stage::Over) {
                return Ok(None);
            }
            self.step().await?;
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let progress = self.reader.progress();
        let (event, cut) = match &mut self.stage {
            Stage::Ask(_) => return self.begin().await,
            Stage::Read(events) if progress == ReplyProgress::Complete => {
                let next = timeout(R::LINGER.min(self.web.linger), events.next(&self.web)).await;
                (next.ok().and_then(Result::ok).flatten(), events.ended)
            }
            Stage::Read(events) => (events.next(&self.web).await?, events.ended),
            Stage::Over => return Ok(()),
        };
        let read = match event {
            Some(event) => read(&mut self.reader, &event, cut, &mut self.parts),
            None => over(&mut self.reader, progress, &mut self.parts),
        };
        self.failure = read.err().map(|trouble| self.web.failure(&trouble));
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        let Stage::Ask(body) = &mut self.stage else { return Ok(()) };
        match self.web.post(mem::take(body)).await? {
            Answer::Events(begin, answer) => {
                let mut events = Events::new(answer, self.web.max);
                events.push(&begin);
                self.stage = Stage::Read(Box::new(events));
            }
            Answer::Json(begin, answer) => {
                let json = self.web.whole(begin, answer).await?;
                let read = self.reader.whole(&json, &mut self.parts);
                self.failure = read.err().map(|trouble| self.web.failure(&trouble));
                self.stage = Stage::Over;
            }
        }
        Ok(())
    }
}

// === impl Events ===

impl Events {
    fn new(answer: Response, max: usize) -> Self {
        let (decoder, queue) = (Decoder::new(max), VecDeque::new());
        Self { answer, decoder, queue, broken: false, ended: false }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.broken = self.decoder.push(bytes, &mut self.queue).is_err();
    }

    /// The next event, or `None` at the end of the answer.
    async fn next(&mut self, web: &Web) -> Result<Option<SseEvent>, Failure> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            if self.broken {
                return Err(Code::TooLong.into());
            }
            if self.ended {
                return Ok(None);
            }
            if let Some(bytes) = self.answer.chunk().await.map_err(|err| web.lost(err))? {
                self.push(&bytes);
            } else {
                self.ended = true;
                self.broken = self.decoder.finish(&mut self.queue).is_err();
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
