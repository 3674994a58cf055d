//! One connection: its commands, its publications, and what it is sent.
use std::sync::Arc;

use quadrille_core::{
    BadTopic, Delivery, Draft, Hub, Info, MESSAGE, OnSlow, Position, Presence, Publish, Rate, Seat,
    Since, Tag, Text, Topic, Turns,
    auth::{Action, Principal, Token},
    json, now, telemetry,
    ws::{Flow, Frames, Link, Protocol},
};
use tokio::time::Instant;

use uuid::Uuid;

use crate::{
    Config, NAME,
    command::{Command, What},
    error::Error,
    frame::{Form, Frame, Publication},
    identity::Identity,
    turns::{self, Texts},
    wire::{self, Plain, Positioned},
};

/// Members listed in one answer to `presence`.
const MEMBERS: usize = 1000;

/// Tags of subscriptions: whether each frame carries its position.
const PLAIN: Tag = 0;
const POSITIONED: Tag = 1;

#[derive(Debug)]
pub(crate) struct Socket {
    door: Arc<Door>,
    /// Boxed, for the future of a connection holds a socket more than once.
    identity: Box<Identity>,
    session: Arc<Info>,
    seats: Vec<Seat>,
    /// A publisher mostly stays with one channel, and is allowed to.
    last: Option<Target>,
}

/// Result of a frame that had to wait.
#[derive(Debug)]
pub(crate) enum Done {
    /// A publication to this channel waited for slow readers.
    Published(String, Result<(), Error>),
    /// A new token was checked, for a command in this form.
    Refreshed(Form, Result<Principal, Error>),
}

/// What all connections have in common.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) hub: Hub,
    pub(crate) presence: Presence,
    pub(crate) turns: Turns,
    pub(crate) texts: Texts,
    pub(crate) config: Config,
}

/// Where publications to a channel go.
#[derive(Clone, Debug)]
struct Target {
    channel: Box<str>,
    topic: Topic,
    /// Whether records need a key, because slow readers get only the newest of each.
    keyed: bool,
}

// === impl Socket ===

impl Socket {
    pub(crate) fn new(door: Arc<Door>, identity: Identity, session: &Arc<Info>) -> Self {
        let (session, identity) = (Arc::clone(session), Box::new(identity));
        Self { door, identity, session, seats: Vec::new(), last: None }
    }

    fn topic(&self, channel: &str) -> Result<Topic, Error> {
        let max = self.door.config.max_channel_length;
        if channel.len() > max {
            return Err(Error::ChannelTooLong(max));
        }
        Topic::from_channel(channel).map_err(|why| match why {
            BadTopic::TooLong => Error::ChannelTooLong(max),
            why => why.into(),
        })
    }

    /// The topic of `channel`, if this client may do `action` to it.
    fn allowed(&self, action: Action, channel: &str) -> Result<Topic, Error> {
        let topic = self.topic(channel)?;
        self.identity.allow(action, &topic)?;
        Ok(topic)
    }

    fn command(&mut self, command: Command<'_>, link: &mut Link<'_>) -> Flow<Done> {
        let Command { form, what } = command;
        let channel = what.channel().unwrap_or_default().to_owned();
        let answer = match what {
            What::Subscribe { since, positions, .. } => {
                self.subscribe(form, &channel, since, positions, link)
            }
            What::Unsubscribe { .. } => self.topic(&channel).map(|topic| {
                if link.inbox.unsubscribe(&topic) {
                    self.seats.retain(|seat| *seat.topic() != topic);
                }
                wire::ack(form, &channel, None)
            }),
            What::History { since, limit, .. } => self.history(form, &channel, since, limit),
            What::Presence { .. } => self.members(form, &channel),
            What::Cancel { turn, .. } => self.cancel(form, &channel, turn),
            What::Ping => {
                let timestamp = format!(r#""timestamp":{:?}"#, seconds());
                Ok(wire::answer(form, "pong", &timestamp))
            }
            What::Refresh { token } => return self.refresh(form, token),
        };
        match answer {
            Ok(answer) => link.out.text(&answer),
            Err(why) => self.refuse(&why, Some(&channel), link),
        }
        Flow::Continue
    }

    /// Continues the connection with a new token.
    fn refresh(&self, form: Form, token: Token) -> Flow<Done> {
        let checked = self.identity.refresh(token);
        Flow::Wait(Box::pin(async move { Done::Refreshed(form, checked.await) }))
    }

    fn refreshed(&mut self, form: Form, who: Principal, link: &mut Link<'_>) {
        let expires = self.identity.apply(who);
        link.out.text(&wire::refreshed(form, expires));
        self.last = None;
        let lost = |topic: &&Topic| self.identity.allow(Action::Read, topic).is_err();
        let lost: Vec<_> = link.inbox.topics().filter(lost).cloned().collect();
        for topic in lost {
            link.inbox.unsubscribe(&topic);
            self.seats.retain(|seat| *seat.topic() != topic);
            link.out.text(&wire::ack(Form::Envelope, topic.channel(), None));
        }
    }

    fn subscribe(
        &mut self,
        form: Form,
        channel: &str,
        since: Option<Position>,
        positions: bool,
        link: &mut Link<'_>,
    ) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let tag = if positions { POSITIONED } else { PLAIN };
        let present = link.inbox.retag(&topic, tag);
        if present.is_none() && link.inbox.len() >= self.door.config.max_channels {
            return Err(Error::TooManyChannels(self.door.config.max_channels));
        }
        let begin = match (since, present) {
            (None, Some(present)) => present,
            (None, None) => link.inbox.subscribe(&topic, Since::Now, tag)?,
            (Some(since), _) => {
                link.inbox.subscribe(&topic, Since::After(since), tag)?;
                since
            }
        };
        if present.is_none() && self.door.hub.policy(&topic).presence {
            self.seats.push(self.door.presence.join(&topic, &self.session));
        }
        Ok(wire::ack(form, channel, Some(begin)))
    }

    fn history(
        &self,
        form: Form,
        channel: &str,
        since: Option<Position>,
        limit: usize,
    ) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let from = since.map_or(Since::Now, Since::After);
        let history = self.door.hub.history(&topic, from, limit).map(|it| it.page(from));
        let members = match history {
            Some(it) => {
                let records = self.door.texts.history(&it.records);
                wire::history(Some(it.at), since.is_some() && it.gap, &records)
            }
            None => wire::history(None, since.is_some(), &[]),
        };
        Ok(wire::answer(form, "history", &format!("{},{members}", wire::about(form, channel))))
    }

    fn members(&self, form: Form, channel: &str) -> Result<String, Error> {
        let topic = self.allowed(Action::Read, channel)?;
        let (count, members) = self.door.presence.members(&topic, MEMBERS);
        let members = serde_json::to_string(&members).expect("ids and names are always JSON");
        let about = wire::about(form, channel);
        let members = format!(r#"{about},"count":{count},"members":{members}"#);
        Ok(wire::answer(form, "presence", &members))
    }

    /// End a turn. Who may write to a channel may ask there, and so may end what was asked.
    fn cancel(&self, form: Form, channel: &str, turn: Uuid) -> Result<String, Error> {
        let topic = self.allowed(Action::Write, channel)?;
        if self.door.turns.cancel(&topic, turn) {
            Ok(wire::cancelling(form, channel, turn))
        } else {
            Err(Error::UnknownTurn)
        }
    }

    /// Publish the frame `text`, to be passed on as it is.
    fn publish(&mut self, publication: &Publication<'_>, text: &str) -> Result<Flow<Done>, Error> {
        let Target { topic, keyed, .. } = self.target(&publication.channel)?;
        self.identity.count(Rate::Publishes)?;
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
        let key = message.map(|it| self.identity.key(&self.session, kind, &it));
        let draft = Draft::new(topic, kind, payload).key(key).origin(self.session.id);
        match self.door.hub.publish(draft.framed::<Plain>(frame)) {
            Publish::Done(done) => {
                done.into_inner()?;
                Ok(Flow::Continue)
            }
            Publish::Wait(waiting) => {
                let channel = publication.channel.clone().into_owned();
                Ok(Flow::Wait(Box::pin(async move {
                    let result = waiting.await.map(drop).map_err(Error::from);
                    Done::Published(channel, result)
                })))
            }
        }
    }

    fn target(&mut self, channel: &str) -> Result<Target, Error> {
        if let Some(last) = self.last.as_ref().filter(|last| *last.channel == *channel) {
            return Ok(last.clone());
        }
        let topic = self.allowed(Action::Write, channel)?;
        let keyed = self.door.hub.policy(&topic).on_slow == OnSlow::Coalesce;
        let target = Target { channel: channel.into(), topic, keyed };
        self.last = Some(target.clone());
        Ok(target)
    }

    fn refuse(&self, why: &Error, channel: Option<&str>, link: &mut Link<'_>) {
        telemetry::client_error(NAME, self.session.id, why.code());
        link.out.text(&why.frame(channel, seconds()));
    }
}

impl Protocol for Socket {
    const NAME: &'static str = NAME;

    type Done = Done;

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<Done> {
        if let Err(why) = self.identity.count(Rate::Frames) {
            self.refuse(&why, None, link);
            return Flow::Continue;
        }
        match Frame::parse(text) {
            Ok(Frame::Publication(it)) => match self.publish(&it, text) {
                Ok(flow) => return flow,
                Err(why) => self.refuse(&why, Some(&it.channel), link),
            },
            Ok(Frame::Command(form, members)) => match Command::read(form, &members) {
                Ok(command) => return self.command(command, link),
                Err((why, channel)) => self.refuse(&why, channel.as_deref(), link),
            },
            Err(why) => self.refuse(&why, None, link),
        }
        Flow::Continue
    }

    fn binary(&mut self, link: &mut Link<'_>) -> Flow<Done> {
        let why = self.identity.count(Rate::Frames).err().unwrap_or(Error::Binary);
        self.refuse(&why, None, link);
        Flow::Continue
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            // A publisher that subscribes to its own channel and never reads must not be filled up
            // with its own words.
            Delivery::Record(record, _) if record.origin == Some(self.session.id) => {}
            Delivery::Record(record, tag) if turns::is_one(&record) => {
                let frames = self.door.texts.frames(&record, tag == POSITIONED);
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

    fn done(&mut self, done: Done, link: &mut Link<'_>) {
        match done {
            Done::Published(_, Ok(())) => {}
            Done::Published(channel, Err(err)) => self.refuse(&err, Some(&channel), link),
            Done::Refreshed(form, Ok(who)) => self.refreshed(form, who, link),
            Done::Refreshed(_, Err(err)) => self.refuse(&err, None, link),
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.identity.expires()
    }
}

/// Seconds since 1970.
fn seconds() -> f64 {
    wire::seconds(now())
}
