//! `cheshire-cat`: Cheshire Cat 1.0 to 1.9 over its WebSocket.
//!
//! The Cat knows a user by the path, and answers one question at a time on a connection. The effect
//! of a second connection of the same user depends on its version: 1.6 to 1.8 close the first one,
//! 1.9 sends everything to the newest. So a user has one connection, and its turns wait for each
//! other.
mod address;
mod dial;
mod frame;
mod gate;
mod given_up;
mod link;
mod pool;

use std::{sync::Arc, time::Duration};

use async_stream::try_stream;
use quadrille_core::Life;

use self::{
    dial::Dialer,
    frame::MessageType,
    link::CatLink,
    pool::{LinkPool, TurnClaim},
};
use super::{facts, secrets::Secrets, upstream, web::Trouble};
use crate::{Agent, BadConfig, Code, Failure, Part, Question, Reply, Settings, lenient::Halves};

/// Time for which an unused connection is kept, and the number of them, unless configured.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const DEFAULT_MAX_IDLE: usize = 1000;

/// An agent that is a Cheshire Cat.
pub(super) struct CheshireCat {
    upstream: Arc<Upstream>,
}

struct Upstream {
    dialer: Dialer,
    pool: Arc<LinkPool>,
    secrets: Secrets,
}

/// A question that was sent. Dropping it closes the connection, remembers the question as given up,
/// and then lets the next one in.
struct Turn {
    link: Box<CatLink>,
    claim: TurnClaim,
}

// === impl CheshireCat ===

impl CheshireCat {
    pub(super) fn open(name: &str, settings: &Settings, life: &Life) -> Result<Self, BadConfig> {
        let url = upstream::address(name, settings, &["http", "https", "ws", "wss"])?;
        let dialer = Dialer::new(name, &url, settings)?;
        let pool = LinkPool::new(
            settings.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT),
            settings.max_idle.unwrap_or(DEFAULT_MAX_IDLE),
            life.clone(),
        );
        let secrets = Secrets::new(&url, &settings.token, &settings.body);
        Ok(Self { upstream: Arc::new(Upstream { dialer, pool: Arc::new(pool), secrets }) })
    }
}

impl Agent for CheshireCat {
    fn ask(&self, question: Question) -> Reply {
        let upstream = Arc::clone(&self.upstream);
        Box::pin(try_stream! {
            let mut turn = upstream.begin(&question).await?;
            let mut halves = Halves::default();
            let (reply, extras) = loop {
                let text = turn.link.frame().await.map_err(|failure| upstream.masked(failure))?;
                match frame::read(&text).map_err(|trouble| upstream.failure(&trouble))? {
                    MessageType::Token(piece) => yield Part::Text(halves.join(&piece)),
                    MessageType::Notice(text) => yield Part::Status(text),
                    MessageType::Reply(_, Some(input), _) if turn.claim.is_of_another(&input) => {
                        Err(Failure::new(Code::BadAnswer, "the reply to another question"))?;
                    }
                    MessageType::Reply(text, _, extras) => break (text, extras),
                    MessageType::Other => {}
                }
            };
            turn.claim.park(turn.link);
            for (url, kind) in [(extras.image, "image"), (extras.audio, "audio")] {
                if let Some(url) = url {
                    yield facts::file(url, kind);
                }
            }
            if let Some(usage) = extras.usage {
                yield Part::Usage(usage);
            }
            yield Part::End(Some(reply));
        })
    }
}

// === impl Upstream ===

impl Upstream {
    /// Waits for the user's earlier turns, and sends the question.
    ///
    /// A question is sent a second time only if the Cat cannot have read the first: the connection
    /// was closed already, or did not take the frame as a whole.
    async fn begin(&self, question: &Question) -> Result<Turn, Failure> {
        let mut claim = self.pool.claim(&question.user).await;
        let asked = frame::question(&question.text, &question.given);
        if let Some(mut link) = claim.parked()
            && link.is_quiet().await
            && link.send(asked.clone()).await.is_ok()
        {
            claim.asked(&question.text);
            return Ok(Turn { link, claim });
        }
        // Boxed, because a handshake needs ten times the memory of all the rest of a turn.
        let dialled = Box::pin(self.dialer.dial(&question.user)).await;
        let mut link = dialled.map_err(|failure| self.masked(failure))?;
        claim.asked(&question.text);
        link.send(asked).await.map_err(|err| Failure::new(Code::BrokenOff, err))?;
        Ok(Turn { link, claim })
    }

    /// A failure whose cause repeats the Cat's words, masked for the log.
    fn failure(&self, trouble: &Trouble) -> Failure {
        Failure::new(trouble.code, self.secrets.note(&trouble.message))
    }

    /// Masks a failure of the connection, whose cause may repeat the Cat's words.
    fn masked(&self, failure: Failure) -> Failure {
        let Some(source) = failure.source else { return failure };
        Failure::new(failure.code, self.secrets.note(&source.to_string()))
    }
}
