//! One connection: its commands, its publications and its deliveries.
use std::sync::Arc;

use quadrille_core::{
    BadTopic, Delivery, Draft, MESSAGE, OnSlow, Position, Publish, Seat, SessionInfo, Since, Tag,
    Text, Topic, json, now, telemetry,
};
use quadrille_edge::ws::{AcceptedClient, Flow, Frames, Link, Protocol};
use quadrille_identity::NotRefreshed;
use quadrille_identity::{Action, Principal, Rate, Token};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    NAME,
    command::{ClientCommand, Verb},
    error::Error,
    frame::{CommandForm, Frame, PublishFrame},
    identity::Identity,
    state::State,
    turns,
    wire::{self, Plain, Positioned},
};

/// Upper bound on the members in one answer to `presence`.
const MEMBERS: usize = 1000;

/// Tags of subscriptions: without and with a position in each frame.
const PLAIN: Tag = 0;
const POSITIONED: Tag = 1;

#[derive(Debug)]
pub(crate) struct Connection {
    state: Arc<State>,
    /// Boxed because the future of a connection holds a socket more than once.
    identity: Box<Identity>,
    session: Arc<SessionInfo>,
    seats: Vec<Seat>,
    /// Target of the last publication: most publishers stay with one channel.
    last: Option<Target>,
}

/// Result of a frame that had to wait.
#[derive(Debug)]
pub(crate) enum FrameResult {
    /// A publication to this channel waited for slow readers.
    Published(String, Result<(), Error>),
    /// A new token was checked, for a command in this form.
    Refreshed(CommandForm, Result<Principal, NotRefreshed>),
}

/// A channel that the client may publish to.
#[derive(Clone, Debug)]
struct Target {
    channel: Box<str>,
    topic: Topic,
    /// Whether records need a key, because slow readers get only the newest record of each.
    keyed: bool,
}

// === impl Connection ===

impl Connection {
    pub(crate) fn new(state: &Arc<State>, accepted: AcceptedClient) -> Self {
        let AcceptedClient { principal, peer, session } = accepted;
        let identity = Box::new(Identity::new(Arc::clone(state), principal, peer));
        Self { state: Arc::clone(state), identity, session, seats: Vec::new(), last: None }
    }

    fn topic(&self, channel: &str) -> Result<Topic, Error> {
        let max = self.state.config.max_channel_length;
        if channel.len() > max {
            return Err(Error::ChannelTooLong(max));
        }
        Topic::from_channel(channel).map_err(|err| match err {
            BadTopic::TooLong => Error::ChannelTooLong(max),
            err => err.into(),
        })
    }

    /// Topic of `channel`, if this client may do `action` to it.
    fn allowed(&self, action: Action, channel: &str) -> Result<Topic, Error> {
        let topic = self.topic(channel)?;
        self.identity.allow(action, &topic)?;
        Ok(topic)
    }

    fn command(&mut self, command: ClientCommand<'_>, link: &mut Link<'_>) -> Flow<FrameResult> {
        let ClientCommand { form, verb } = command;
        let channel = verb.channel().unwrap_or_default().to_owned();
        let answer = match verb {
            Verb::Subscribe { since, positions, .. } => {
                self.subscribe(form, &channel, since, positions, link)
            }
            Verb::Unsubscribe { .. } => self.topic(&channel).map(|topic| {
                if link.inbox.unsubscribe(&topic) {
                    self.seats.retain(|seat| *seat.topic() != topic);
                }
                wire::ack(form, &channel, None)
            }),
            Verb::History { since, limit, .. } => self.history(form, &channel, since, limit),
            Verb::Presence { .. } => self.members(form, &channel),
            Verb::Cancel { turn, .. } => self.cancel(form, &channel, turn),
            Verb::Ping => {
                let timestamp = format!(r#""timestamp":{:?}"#, seconds());
                Ok(wire::answer(form, "pong", &timestamp))
            }
            Verb::Refresh { token } => return self.refresh(form, token),
        };
        match answer {
            Ok(answer) => link.out.text(&answer),
            Err(err) => self.refuse(&err, Some(&channel), link),
        }
        Flow::Continue
    }

    /// Continues the connection with a new token.
    fn refresh(&self, form: CommandForm, token: Token) -> Flow<FrameResult> {
        let checked = self.identity.refresh(token);
        Flow::Wait(Box::pin(async move { FrameResult::Refreshed(form, checked.await) }))
    }

    fn refreshed(&mut self, form: CommandForm, principal: Principal, link: &mut Link<'_>) {
        let expires = self.identity.apply(principal);
        link.out.text(&wire::refreshed(form, expires));
        self.last = None;
        let lost = |topic: &&Topic| self.identity.allow(Action::Read, topic).is_err();
        let lost: Vec<_> = link.inbox.topics().filter(lost).cloned().collect();
        for topic in lost {
            link.inbox.unsubscribe(&topic);
            self.seats.retain(|seat| *seat.topic() != topic);
            link.out.text(&wire::ack(CommandForm::Envelope, topic.channel(), None));
        }
    }

    fn subscribe(
        &mut self,
        form: CommandForm,
        channel: &str,
        since: Option<Position>,
        positions: bool,
        link: &mut Link<'_>,
    ) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let tag = if positions { POSITIONED } else { PLAIN };
        let present = link.inbox.retag(&topic, tag);
        if present.is_none() && link.inbox.len() >= self.state.config.max_channels {
            return Err(Error::TooManyChannels(self.state.config.max_channels));
        }
        let begin = match (since, present) {
            (None, Some(present)) => present,
            (None, None) => link.inbox.subscribe(&topic, Since::Now, tag)?,
            (Some(since), _) => {
                link.inbox.subscribe(&topic, Since::After(since), tag)?;
                since
            }
        };
        if present.is_none() && self.state.core.hub.policy(&topic).presence {
            self.seats.push(self.state.core.presence.join(&topic, &self.session));
        }
        Ok(wire::ack(form, channel, Some(begin)))
    }

    fn history(
        &self,
        form: CommandForm,
        channel: &str,
        since: Option<Position>,
        limit: usize,
    ) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let from = since.map_or(Since::Now, Since::After);
        let history = self.state.core.hub.history(&topic, from, limit);
        let members = match history.map(|history| history.page(from)) {
            Some(page) => {
                let records = self.state.texts.history(&page.records);
                wire::history(Some(page.at), since.is_some() && page.gap, &records)
            }
            None => wire::history(None, since.is_some(), &[]),
        };
        Ok(wire::answer(form, "history", &format!("{},{members}", wire::about(form, channel))))
    }

    fn members(&self, form: CommandForm, channel: &str) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let (count, members) = self.state.core.presence.members(&topic, MEMBERS);
        let members = serde_json::to_string(&members).expect("ids and names are always JSON");
        let about = wire::about(form, channel);
        let members = format!(r#"{about},"count":{count},"members":{members}"#);
        Ok(wire::answer(form, "presence", &members))
    }

    /// Cancels a turn, or the one that runs. Needs the right to write, as asking the question did.
    fn cancel(
        &self,
        form: CommandForm,
        channel: &str,
        turn: Option<Uuid>,
    ) -> Result<String, Error> {
        let topic = self.allowed(Action::Write, channel)?;
        let cancelled = self.state.core.turns.cancel(&topic, turn).ok_or(Error::UnknownTurn)?;
        Ok(wire::cancelling(form, channel, cancelled))
    }

    /// Publishes the frame `text`, which is delivered byte for byte.
    fn publish(
        &mut self,
        publication: &PublishFrame<'_>,
        text: &str,
    ) -> Result<Flow<FrameResult>, Error> {
        let Target { topic, keyed, .. } = self.target(&publication.channel)?;
        self.identity.charge(Rate::Publishes)?;
        let frame = Text::from(text);
        let (kind, payload) = match publication.payload {
            Some(payload) => {
                // Borrowed from `text`, at the same place as in its copy.
                let at = payload.get().as_ptr() as usize - text.as_ptr() as usize;
                (MESSAGE, frame.slice(at..at + payload.get().len()))
            }
            None => (wire::FRAME, frame.clone()),
        };
        let message = if keyed { json::message_id(&payload) } else { None };
        let key = message.map(|message| self.identity.key(&self.session, kind, &message));
        let draft = Draft::new(topic, kind, payload).key(key).publisher(self.session.id);
        match self.state.core.hub.publish(draft.framed::<Plain>(frame)) {
            Publish::Done(done) => {
                done.into_inner()?;
                Ok(Flow::Continue)
            }
            Publish::Wait(waiting) => {
                let channel = publication.channel.clone().into_owned();
                Ok(Flow::Wait(Box::pin(async move {
                    let result = waiting.await.map(drop).map_err(Error::from);
                    FrameResult::Published(channel, result)
                })))
            }
        }
    }

    fn target(&mut self, channel: &str) -> Result<Target, Error> {
        if let Some(last) = self.last.as_ref().filter(|last| *last.channel == *channel) {
            return Ok(last.clone());
        }
        let topic = self.allowed(Action::Write, channel)?;
        let keyed = self.state.core.hub.policy(&topic).on_slow == OnSlow::Coalesce;
        let target = Target { channel: channel.into(), topic, keyed };
        self.last = Some(target.clone());
        Ok(target)
    }

    fn refuse(&self, err: &Error, channel: Option<&str>, link: &mut Link<'_>) {
        telemetry::client_error(NAME, self.session.id, err.code());
        link.out.text(&err.frame(channel, seconds()));
    }
}

impl Protocol for Connection {
    const NAME: &'static str = NAME;

    type Done = FrameResult;

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<FrameResult> {
        if let Err(err) = self.identity.charge(Rate::Frames) {
            self.refuse(&err, None, link);
            return Flow::Continue;
        }
        match Frame::parse(text) {
            Ok(Frame::Publication(publication)) => match self.publish(&publication, text) {
                Ok(flow) => return flow,
                Err(err) => self.refuse(&err, Some(&publication.channel), link),
            },
            Ok(Frame::Command(form, members)) => match ClientCommand::read(form, &members) {
                Ok(command) => return self.command(command, link),
                Err((err, channel)) => self.refuse(&err, channel.as_deref(), link),
            },
            Err(err) => self.refuse(&err, None, link),
        }
        Flow::Continue
    }

    fn binary(&mut self, link: &mut Link<'_>) -> Flow<FrameResult> {
        let err = self.identity.charge(Rate::Frames).err().unwrap_or(Error::Binary);
        self.refuse(&err, None, link);
        Flow::Continue
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            // A publisher that subscribes to its own channel and never reads must not be filled up
            // with its own publications.
            Delivery::Record(record, _) if record.publisher == Some(self.session.id) => {}
            Delivery::Record(record, tag) if turns::is_turn(&record) => {
                let frames = self.state.texts.frames(&record, tag == POSITIONED);
                frames.iter().flatten().for_each(|text| out.text(text));
            }
            Delivery::Record(record, POSITIONED) => out.text(record.frame::<Positioned>()),
            Delivery::Record(record, _) => out.text(record.frame::<Plain>()),
            Delivery::Gap(gap, _) => out.text(&wire::gap(&gap)),
            Delivery::Deleted(topic, _) => {
                self.seats.retain(|seat| *seat.topic() != topic);
                out.text(&wire::deleted(topic.channel()));
            }
            Delivery::End(_) => unreachable!("the pump ends the connection"),
        }
    }

    fn done(&mut self, done: FrameResult, link: &mut Link<'_>) {
        match done {
            FrameResult::Published(_, Ok(())) => {}
            FrameResult::Published(channel, Err(err)) => self.refuse(&err, Some(&channel), link),
            FrameResult::Refreshed(form, Ok(principal)) => self.refreshed(form, principal, link),
            FrameResult::Refreshed(_, Err(err)) => self.refuse(&err.into(), None, link),
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.identity.expires()
    }
}

/// Seconds since the Unix epoch.
fn seconds() -> f64 {
    wire::seconds(now())
}
