//! What a token opens: patterns of topics to read and to write, and scopes.
use quadrille_core::Topic;

use super::{
    Action,
    claims::{Claims, Named},
    pattern::Pattern,
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
    pattern: Pattern,
    read: bool,
    write: bool,
}

impl Grants {
    /// What everybody has who is served without sign-in.
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(super) fn of(claims: &Claims) -> Self {
        let mut patterns = Vec::new();
        let kinds = [
            (&claims.channels, Pattern::channel as fn(&str) -> Pattern),
            (&claims.rooms, Pattern::room),
            (&claims.topics, Pattern::topic),
        ];
        for (names, pattern) in kinds {
            for Named { name, read, write } in &names.0 {
                patterns.push(Granted { pattern: pattern(name), read: *read, write: *write });
            }
        }
        let scopes = claims.scopes().map(Into::into).collect();
        Self { everything: false, patterns: patterns.into(), scopes }
    }

    pub(super) fn allow(&self, action: Action, topic: &Topic) -> bool {
        let covers = |it: &Granted| match action {
            Action::Read => it.read,
            Action::Write => it.write,
        };
        self.everything || self.patterns.iter().any(|it| covers(it) && it.pattern.matches(topic))
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.everything || self.scopes.iter().any(|it| **it == *scope)
    }
}
