//! Arguments as clients send them: unknown ones are ignored, `null` is the default, and one of a wrong
//! type is named.
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::error::BadArguments;

/// Read the arguments of an operation from a JSON object.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, BadArguments> {
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
