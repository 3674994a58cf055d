//! From the events of an answer to the parts of a reply: what all dialects over HTTP share.
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use reqwest::Response;
use tokio::time::timeout;

use super::web::{Answer, Trouble, Web};
use crate::{
    Code, Failure, Part, Reply,
    sse::{Decoder, Event},
};

pub(super) type Parts = VecDeque<Part>;

/// How far a reply is, and so what the end of its answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on: an answer that ends has broken off.
    Open,
    /// It may go on, or be over: an answer that ends in order ends it.
    Paused,
    /// It is over, unless more comes. However the answer ends, or if it does not, it was whole.
    Complete,
}

/// Makes the parts of one reply out of an answer. An error ends the reply, and so does
/// [`Part::End`]; nothing comes after either.
pub(super) trait Reader: Send + 'static {
    /// How long it is waited for the end of an answer whose reply is complete: some go on after they
    /// have said that they are, and some never end.
    const LINGER: Duration = Duration::from_secs(10);

    /// An event of a streamed answer. Those whose data is blank are passed over unless they are
    /// [named](Self::ends).
    fn event(&mut self, event: &Event, parts: &mut Parts) -> Result<(), Trouble>;

    /// An answer in one piece.
    fn whole(&mut self, json: &str, parts: &mut Parts) -> Result<(), Trouble>;

    /// The answer is over, and the reply is, too: its last parts, of which the last is
    /// [`Part::End`].
    fn end(&mut self, parts: &mut Parts) -> Result<(), Trouble>;

    fn standing(&self) -> Standing;

    /// Whether an event of this name means something without data.
    fn ends(&self, _kind: &str) -> bool {
        false
    }
}

/// Post `body`, and let `reader` read the answer.
pub(super) fn reply(web: &Arc<Web>, body: Vec<u8>, reader: impl Reader) -> Reply {
    let web = Arc::clone(web);
    let run = Run { web, reader, parts: Parts::new(), failure: None, stage: Stage::Ask(body) };
    stream::try_unfold(run, Run::next).boxed()
}

struct Run<R> {
    web: Arc<Web>,
    reader: R,
    /// Those of the last event.
    parts: Parts,
    /// What is told after them.
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
    /// Those of the last bytes.
    queue: VecDeque<Event>,
    /// The bytes after them make no sense.
    broken: bool,
    /// There are no more bytes. What is in the queue may have been cut off.
    ended: bool,
}

/// Read an event. One at the end of an answer may have been cut off, and half of one is none.
fn read(
    reader: &mut impl Reader,
    event: &Event,
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

/// Nothing more will come.
fn over(reader: &mut impl Reader, standing: Standing, parts: &mut Parts) -> Result<(), Trouble> {
    match standing {
        Standing::Open => Err(Trouble::new(Code::BrokenOff, "the stream ended before the reply")),
        Standing::Paused | Standing::Complete => reader.end(parts),
    }
}

// === impl Run ===

impl<R: Reader> Run<R> {
    async fn next(mut self) -> Result<Option<(Part, Self)>, Failure> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                if matches!(part, Part::End(_)) {
                    self.stage = Stage::Over;
                }
                return Ok(Some((part, self)));
            }
            if let Some(why) = self.failure.take() {
                return Err(why);
            }
            if matches!(self.stage, Stage::Over) {
                return Ok(None);
            }
            self.step().await?;
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let standing = self.reader.standing();
        let (event, cut) = match &mut self.stage {
            Stage::Ask(_) => return self.begin().await,
            Stage::Read(events) if standing == Standing::Complete => {
                let next = timeout(R::LINGER.min(self.web.linger), events.next(&self.web)).await;
                (next.ok().and_then(Result::ok).flatten(), events.ended)
            }
            Stage::Read(events) => (events.next(&self.web).await?, events.ended),
            Stage::Over => return Ok(()),
        };
        let read = match event {
            Some(event) => read(&mut self.reader, &event, cut, &mut self.parts),
            None => over(&mut self.reader, standing, &mut self.parts),
        };
        self.failure = read.err().map(|why| self.web.failure(&why));
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
                self.failure = read.err().map(|why| self.web.failure(&why));
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
    async fn next(&mut self, web: &Web) -> Result<Option<Event>, Failure> {
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
            if let Some(bytes) = self.answer.chunk().await.map_err(|why| web.lost(why))? {
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
