//! The claims of a token that are read here. A claim of the wrong type makes the token useless: a
//! grant is never guessed.
use quadrille_core::json::Object;
use serde::{Deserialize, Deserializer};

/// Upper bound on a name that is shown, in characters.
const MAX_NAME: usize = 100;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    /// The user, as text or digits.
    #[serde(default)]
    pub(super) sub: Option<TextOrNumber>,
    /// In seconds since 1970; checked with the signature.
    pub(super) exp: f64,
    /// `refresh` in tokens of flask-jwt-extended that are only for fetching another token.
    #[serde(default, rename = "type")]
    kind: serde_json::Value,
    /// The name that others see; the second one if there is no first. Not a grant: a wrong type is no
    /// name.
    #[serde(default)]
    name: serde_json::Value,
    #[serde(default)]
    username: serde_json::Value,
    #[serde(default)]
    pub(super) channels: NameGrants,
    #[serde(default)]
    pub(super) rooms: NameGrants,
    #[serde(default)]
    pub(super) topics: NameGrants,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    scopes: Vec<String>,
}

impl Claims {
    pub(super) fn is_for_renewal(&self) -> bool {
        self.kind == "refresh"
    }

    /// Name of the user, if the token has one of at most 100 characters.
    pub(super) fn shown_name(&self) -> Option<&str> {
        let is_name = |name: &&str| {
            (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        };
        let both = [&self.name, &self.username].into_iter();
        both.filter_map(|value| value.as_str()).map(str::trim).find(is_name)
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split_ascii_whitespace().chain(self.scopes.iter().map(String::as_str))
    }
}

/// A text, or a number as one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrNumber {
    Text(String),
    Number(u64),
}

impl From<TextOrNumber> for String {
    fn from(name: TextOrNumber) -> Self {
        match name {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}

/// Names with their permissions: a list is for both, an object has one for each.
#[derive(Debug, Default)]
pub(super) struct NameGrants(pub(super) Vec<NameGrant>);

#[derive(Debug)]
pub(super) struct NameGrant {
    pub(super) name: String,
    pub(super) read: bool,
    pub(super) write: bool,
}

impl<'de> Deserialize<'de> for NameGrants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum ListOrEach {
            Both(Vec<TextOrNumber>),
            Each(Object<Each>),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Each {
            #[serde(default)]
            read: Vec<TextOrNumber>,
            #[serde(default)]
            write: Vec<TextOrNumber>,
        }
        let with =
            |(read, write)| move |name: TextOrNumber| NameGrant { name: name.into(), read, write };
        let names = match ListOrEach::deserialize(deserializer)? {
            ListOrEach::Both(both) => both.into_iter().map(with((true, true))).collect(),
            ListOrEach::Each(Object(Each { read, write })) => {
                let read = read.into_iter().map(with((true, false)));
                read.chain(write.into_iter().map(with((false, true)))).collect()
            }
        };
        Ok(Self(names))
    }
}
