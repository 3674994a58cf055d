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

/// How long an upstream may take to end an answer after it has said that the reply is complete.
const LINGER: Duration = Duration::from_secs(1);

pub(super) type Parts = VecDeque<Part>;

/// Makes the parts of one reply out of an answer. An error ends the reply, and so does
/// [`Part::End`]; nothing comes after either.
pub(super) trait Reader: Send + 'static {
    /// An event of a streamed answer.
    fn event(&mut self, event: &Event, parts: &mut Parts) -> Result<(), Trouble>;

    /// An answer in one piece.
    fn whole(&mut self, json: &[u8], parts: &mut Parts) -> Result<(), Trouble>;

    /// The reply is complete, though the answer may go on: its end, however it comes, is one.
    fn is_complete(&self) -> bool {
        false
    }
}

/// Post `body`, and let `reader` read the answer.
pub(super) fn reply(web: &Arc<Web>, body: Vec<u8>, reader: impl Reader) -> Reply {
    let web = Arc::clone(web);
    let run = Run { web, reader, parts: Parts::new(), stage: Stage::Ask(body) };
    stream::try_unfold(run, Run::next).boxed()
}

struct Run<R> {
    web: Arc<Web>,
    reader: R,
    /// Those of the last event.
    parts: Parts,
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
            self.step().await?;
            if matches!(self.stage, Stage::Over) && self.parts.is_empty() {
                return Ok(None);
            }
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let read = match &mut self.stage {
            Stage::Ask(body) => {
                self.stage = match self.web.post(mem::take(body)).await? {
                    Answer::Events(answer) => {
                        Stage::Read(Box::new(Events::new(answer, self.web.max)))
                    }
                    Answer::Json(answer) => {
                        let json = self.web.whole(answer).await?;
                        let read = self.reader.whole(&json, &mut self.parts);
                        read.map_err(|why| self.web.failure(&why))?;
                        Stage::Over
                    }
                };
                return Ok(());
            }
            Stage::Read(events) if self.reader.is_complete() => {
                timeout(LINGER, events.next(&self.web)).await.ok().and_then(Result::ok).flatten()
            }
            Stage::Read(events) => events.next(&self.web).await?,
            Stage::Over => return Ok(()),
        };
        let read = match read {
            Some(event) => self.reader.event(&event, &mut self.parts),
            None if self.reader.is_complete() => {
                self.parts.push_back(Part::End(None));
                Ok(())
            }
            None => Err(Trouble::new(Code::BrokenOff, "the stream ended before the reply")),
        };
        read.map_err(|why| self.web.failure(&why))
    }
}

// === impl Events ===

impl Events {
    fn new(answer: Response, max: usize) -> Self {
        Self { answer, decoder: Decoder::new(max), queue: VecDeque::new(), broken: false }
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
            let Some(bytes) = self.answer.chunk().await.map_err(|why| web.lost(why))? else {
                return Ok(None);
            };
            self.broken = self.decoder.push(&bytes, &mut self.queue).is_err();
        }
    }
}
