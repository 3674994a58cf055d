//! Arguments as clients send them: `null` is the default, one of a wrong type is named, and one that
//! nobody knows is told.
use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use crate::error::BadArguments;

/// What is said of arguments besides their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) warnings: Vec<String>,
    /// Arguments that are not known, also those that are not named one by one.
    unknown: usize,
}

/// The members of an object that are not known.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Unknown(IndexMap<String, IgnoredAny>);

/// Arguments that say which of them nobody knows.
pub(crate) trait Takes {
    fn tell(&self, told: &mut Told);
}

/// Unknown arguments that are named.
const MOST: usize = 20;

/// The argument that all operations have that read a workbook.
pub(crate) const SHEET: &str = "sheet_name";

// === impl Told ===

impl Told {
    /// The argument at `path` has no effect.
    pub(crate) fn unknown(&mut self, path: &str) {
        self.unknown += 1;
        match self.unknown {
            ..=MOST => {
                let path: String = path.chars().take(200).collect();
                self.warnings.push(format!("argument `{path}` is not known and has no effect"));
            }
            more if more == MOST + 1 => {
                self.warnings.push("more arguments are not known and have no effect".to_owned());
            }
            _ => {}
        }
    }

    /// All of `members`, which stand in the object at `path`.
    pub(crate) fn all(&mut self, path: &str, Unknown(members): &Unknown) {
        for name in members.keys() {
            match path {
                "" if name == SHEET => {}
                "" => self.unknown(name),
                path => self.unknown(&format!("{path}.{name}")),
            }
        }
    }
}

/// Read the arguments of an operation from a JSON object, and tell of those that it does not have.
pub(crate) fn read<T: DeserializeOwned + Takes>(
    json: &str,
    told: &mut Told,
) -> Result<T, BadArguments> {
    let arguments: T = object(json)?;
    arguments.tell(told);
    Ok(arguments)
}

/// The sheet that is to be read, if it is named.
pub(crate) fn sheet(json: &str) -> Result<Option<String>, BadArguments> {
    #[derive(Deserialize)]
    struct Sheet {
        sheet_name: Option<String>,
    }
    let Sheet { sheet_name } = object(json)?;
    Ok(sheet_name.filter(|it| !it.trim().is_empty()))
}

fn object<T: DeserializeOwned>(json: &str) -> Result<T, BadArguments> {
    let json = if json.trim().is_empty() || json.trim() == "null" { "{}" } else { json };
    // A list would be taken for an object whose members are not named.
    if !json.trim_start().starts_with('{') {
        let found = match serde_json::from_str(json) {
            Ok(Value::Array(_)) => "found a list",
            Ok(_) => "found a single value",
            Err(_) => "it is no JSON",
        };
        return Err(BadArguments::NotAnObject { why: found.to_owned() });
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let argument = error.path().to_string();
        let why = why(&error.into_inner());
        if argument == "." {
            BadArguments::NotAnObject { why }
        } else {
            BadArguments::Wrong { argument, why }
        }
    })
}

/// What `error` says, without its place in the text.
pub(crate) fn why(error: &serde_json::Error) -> String {
    let why = error.to_string();
    why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned()
}

/// For a field: `null` is as good as nothing.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
