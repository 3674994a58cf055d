//! One layer of the configuration, which remembers its name.
use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map},
};

/// Values from one source.
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
