//! Grants of a token: patterns of topics to read and to write, and scopes.
use quadrille_core::Topic;

use super::{
    Action,
    claims::{Claims, NameGrant},
    pattern::TopicPattern,
};

/// Shared by everything that acts for one token.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Grants {
    everything: bool,
    patterns: Box<[Granted]>,
    scopes: Box<[Box<str>]>,
}

#[derive(Debug, PartialEq)]
struct Granted {
    pattern: TopicPattern,
    read: bool,
    write: bool,
}

impl Grants {
    /// Grants of clients without sign-in: everything.
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(super) fn of(claims: &Claims) -> Self {
        let mut patterns = Vec::new();
        let kinds = [
            (&claims.channels, TopicPattern::channel as fn(&str) -> TopicPattern),
            (&claims.rooms, TopicPattern::room),
            (&claims.topics, TopicPattern::topic),
        ];
        for (names, pattern) in kinds {
            for NameGrant { name, read, write } in &names.0 {
                patterns.push(Granted { pattern: pattern(name), read: *read, write: *write });
            }
        }
        let scopes = claims.scopes().map(Into::into).collect();
        Self { everything: false, patterns: patterns.into(), scopes }
    }

    pub(super) fn allow(&self, action: Action, topic: &Topic) -> bool {
        let covers = |granted: &Granted| match action {
            Action::Read => granted.read,
            Action::Write => granted.write,
        };
        self.everything || self.patterns.iter().any(|all| covers(all) && all.pattern.matches(topic))
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.everything || self.scopes.iter().any(|own| **own == *scope)
    }
}
