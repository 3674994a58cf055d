//! Configuration files in YAML. A key without a value is ignored.
use std::path::Path;

use figment::value::{Dict, Num, Value};
use yaml_serde::Value as Yaml;

use super::Error;

/// Whether the file name has an extension of YAML.
pub(super) fn is_yaml(file: &str) -> bool {
    let ending = Path::new(file).extension();
    ending.is_some_and(|ending| {
        ending.eq_ignore_ascii_case("yml") || ending.eq_ignore_ascii_case("yaml")
    })
}

pub(super) fn read(file: &str, text: &str) -> Result<Dict, Error> {
    match yaml_serde::from_str(text).map_err(|err| Error::yaml(file, &err))? {
        Yaml::Null => Ok(Dict::new()),
        Yaml::Mapping(table) => dict(file, "", table),
        _ => Err(Error::top(file, "expected a table of sections, found something else")),
    }
}

fn dict(file: &str, path: &str, table: yaml_serde::Mapping) -> Result<Dict, Error> {
    let mut values = Dict::new();
    for (key, given) in table {
        let wrong = |what| {
            if path.is_empty() { Error::top(file, what) } else { Error::new(file, path, what) }
        };
        let key = match key {
            Yaml::String(key) if key.is_empty() => {
                return Err(wrong("expected keys with a name, found one without"));
            }
            Yaml::String(key) => key,
            _ => return Err(wrong("expected texts as keys, found something else")),
        };
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(given) = value(file, &path, given)? {
            values.insert(key, given);
        }
    }
    Ok(values)
}

fn value(file: &str, path: &str, given: Yaml) -> Result<Option<Value>, Error> {
    Ok(Some(match given {
        Yaml::Null => return Ok(None),
        Yaml::Bool(value) => value.into(),
        Yaml::Number(given) => number(&given).into(),
        Yaml::String(text) => text.into(),
        Yaml::Sequence(all) => {
            let all = all.into_iter().enumerate();
            let all = all.map(|(n, element)| value(file, &format!("{path}.{n}"), element));
            let all: Vec<_> = all.filter_map(Result::transpose).collect::<Result<_, _>>()?;
            all.into()
        }
        Yaml::Mapping(table) => dict(file, path, table)?.into(),
        // Not repeated: a secret may begin like a tag.
        Yaml::Tagged(_) => {
            let expected = "expected no tag; put quotes around a text that begins with \"!\"";
            return Err(Error::new(file, path, expected));
        }
    }))
}

fn number(given: &yaml_serde::Number) -> Num {
    let whole = given.as_u64().map(Num::from).or_else(|| given.as_i64().map(Num::from));
    whole.unwrap_or_else(|| Num::from(given.as_f64().unwrap_or(f64::NAN)))
}
