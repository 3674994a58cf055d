//! The claims of a token that mean anything here. What is there but wrong makes the token useless:
//! a grant is never guessed.
use quadrille_core::json::Object;
use serde::{Deserialize, Deserializer};

/// Characters of a name that is shown.
const NAME: usize = 100;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    /// The user. Of libraries that write numbers, the digits.
    #[serde(default)]
    pub(super) sub: Option<Name>,
    /// In seconds since 1970; checked with the signature.
    pub(super) exp: f64,
    /// `refresh` in tokens of flask-jwt-extended that are only for fetching another token.
    #[serde(default, rename = "type")]
    kind: serde_json::Value,
    /// What others are shown; the second one if there is no first. Not a grant: what makes no sense
    /// is no name.
    #[serde(default)]
    name: serde_json::Value,
    #[serde(default)]
    username: serde_json::Value,
    #[serde(default)]
    pub(super) channels: Names,
    #[serde(default)]
    pub(super) rooms: Names,
    #[serde(default)]
    pub(super) topics: Names,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    scopes: Vec<String>,
}

impl Claims {
    pub(super) fn is_for_renewal(&self) -> bool {
        self.kind == "refresh"
    }

    /// What the user is called, if the token says it in some 100 characters or less.
    pub(super) fn shown_name(&self) -> Option<&str> {
        let is_name = |it: &&str| {
            (1..=NAME).contains(&it.chars().count()) && !it.chars().any(char::is_control)
        };
        let both = [&self.name, &self.username].into_iter();
        both.filter_map(|it| it.as_str()).map(str::trim).find(is_name)
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split_ascii_whitespace().chain(self.scopes.iter().map(String::as_str))
    }
}

/// A text, or a number as one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Text(String),
    Number(u64),
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

/// Names, each with what may be done: a list is for both, an object has one for each.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) Vec<Named>);

#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) read: bool,
    pub(super) write: bool,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Both(Vec<Name>),
            Each(Object<Each>),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Each {
            #[serde(default)]
            read: Vec<Name>,
            #[serde(default)]
            write: Vec<Name>,
        }
        let with = |(read, write)| move |name: Name| Named { name: name.into(), read, write };
        let names = match Given::deserialize(deserializer)? {
            Given::Both(both) => both.into_iter().map(with((true, true))).collect(),
            Given::Each(Object(Each { read, write })) => {
                let read = read.into_iter().map(with((true, false)));
                read.chain(write.into_iter().map(with((false, true)))).collect()
            }
        };
        Ok(Self(names))
    }
}
