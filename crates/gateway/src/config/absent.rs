//! The section of a feature that was not compiled in: naming it is an error, not silence.
#![cfg_attr(
    any(
        feature = "relay",
        feature = "rooms",
        feature = "workflows",
        feature = "broker",
        feature = "otel"
    ),
    allow(dead_code, reason = "what is compiled in is not absent")
)]
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, de};

/// Takes the place of the section of feature `F`.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Absent<F>(PhantomData<F>);

/// A cargo feature that has a section of its own.
pub(crate) trait Feature {
    const NAME: &'static str;
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Relay;

impl Feature for Relay {
    const NAME: &'static str = "relay";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Rooms;

impl Feature for Rooms {
    const NAME: &'static str = "rooms";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Workflows;

impl Feature for Workflows {
    const NAME: &'static str = "workflows";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Broker;

impl Feature for Broker {
    const NAME: &'static str = "broker";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Otel;

impl Feature for Otel {
    const NAME: &'static str = "otel";
}

impl<'de, F: Feature> Deserialize<'de> for Absent<F> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        let name = F::NAME;
        Err(de::Error::custom(format!(
            "this build has no `{name}`; rebuild with --features {name}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use figment::{Figment, providers::Serialized};

    use super::*;

    #[test]
    fn naming_what_was_not_compiled_in_says_how_to_get_it() {
        let section = Figment::from(Serialized::default("path", "/ws"));
        let why = section.extract::<Absent<Broker>>().unwrap_err().to_string();
        assert_eq!(why, "this build has no `broker`; rebuild with --features broker");
    }
}
