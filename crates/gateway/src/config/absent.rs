//! Sections of features that are not compiled in: using one is an error, not silence.
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

/// Stands for the section of feature `F`.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Absent<F>(PhantomData<F>);

/// A cargo feature that has a section of its own.
pub(crate) trait Feature {
    const NAME: &'static str;
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct RelayFeature;

impl Feature for RelayFeature {
    const NAME: &'static str = "relay";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct RoomsFeature;

impl Feature for RoomsFeature {
    const NAME: &'static str = "rooms";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct WorkflowsFeature;

impl Feature for WorkflowsFeature {
    const NAME: &'static str = "workflows";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct BrokerFeature;

impl Feature for BrokerFeature {
    const NAME: &'static str = "broker";
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct OtelFeature;

impl Feature for OtelFeature {
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
        let err = section.extract::<Absent<BrokerFeature>>().unwrap_err().to_string();
        assert_eq!(err, "this build has no `broker`; rebuild with --features broker");
    }
}
