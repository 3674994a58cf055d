//! Sources of configuration values, as layers: later ones win, and each remembers its name.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    value::{Num, Value},
};

use super::{
    Config, Error,
    layer::Layer,
    legacy,
    variable::{self, NEST, PREFIX},
    yaml,
};

/// Default file, relative to the working directory.
const FILE: &str = "config/quadrille.toml";

/// All layers together.
#[derive(Debug)]
pub(crate) struct Sources {
    layers: Figment,
    /// Keys of the file without a meaning here.
    ignored: Vec<String>,
}

/// A configuration file, read but not parsed.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) name: String,
    pub(super) text: String,
}

/// A parsed file.
struct FileContent {
    /// Layers translated from legacy keys.
    translated: Vec<Layer>,
    own: Layer,
    ignored: Vec<String>,
}

// === impl ConfigFile ===

impl ConfigFile {
    /// Reads the named file, which has to exist, or the default one if it exists.
    pub(super) fn read(named: Option<&Path>) -> Result<Option<Self>, Error> {
        let path = named.map_or_else(|| PathBuf::from(FILE), Path::to_path_buf);
        let name = path.display().to_string();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { name, text })),
            Err(err) if err.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(None),
            Err(err) => Err(Error::unreadable(&name, &err)),
        }
    }

    fn content(self) -> Result<FileContent, Error> {
        let Self { name, text } = self;
        if yaml::is_yaml(&name) {
            let mut values = yaml::read(&name, &text)?;
            let legacy::Translated { layers, ignored } = legacy::translate(&name, &mut values)?;
            return Ok(FileContent { translated: layers, own: Layer { name, values }, ignored });
        }
        let table: toml::Table = text.parse().map_err(|err| Error::syntax(&name, &text, &err))?;
        let values = Value::serialize(table).expect("TOML is plain data");
        let values = values.into_dict().expect("a table is a dictionary");
        Ok(FileContent { translated: Vec::new(), own: Layer { name, values }, ignored: Vec::new() })
    }
}

// === impl Sources ===

impl Sources {
    pub(super) fn read(
        file: Option<ConfigFile>,
        environment: &[(String, String)],
    ) -> Result<Self, Error> {
        let defaults = Value::serialize(Config::default()).expect("the defaults are plain data");
        let values = defaults.as_dict().cloned().expect("a configuration is a table");
        let mut layers = Figment::from(Layer { name: "configuration".to_owned(), values });
        let mut unused = Vec::new();
        if let Some(file) = file {
            let FileContent { translated, own, ignored } = file.content()?;
            layers = translated.into_iter().chain([own]).fold(layers, Figment::merge);
            unused = ignored;
        }
        for (name, text) in environment {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            if rest.contains(NEST) {
                layers = layers.merge(read_variable(name, rest, text, &defaults)?);
            } else if !variable::is_foreign(rest, text)
                && let Some(key) = variable::nearest(rest, &defaults)
            {
                let right = variable::of(&key);
                return Err(Error::new(name, &key, format!("expected the name {right}")));
            }
        }
        Ok(Self { layers, ignored: unused })
    }

    /// Keys of the file that were ignored.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    pub(super) fn extract(&self) -> Result<Config, Error> {
        self.layers.extract().map_err(Error::from)
    }

    /// Names in a section, from all layers.
    pub(super) fn names_in(&self, section: &str) -> impl Iterator<Item = String> {
        let section = self.layers.find_value(section).ok().and_then(Value::into_dict);
        section.unwrap_or_default().into_keys()
    }

    /// Returns the error that `key` is invalid, with the source of its value.
    pub(crate) fn invalid(&self, key: &str, expected: impl Into<String>) -> Error {
        // A missing key has the source of the table that it is missing in.
        let mut tables = std::iter::successors(Some(key), |key| Some(key.rsplit_once('.')?.0));
        let source = tables
            .find_map(|key| self.layers.find_metadata(key))
            .map(|metadata| metadata.name.clone());
        Error::new(source.as_deref().unwrap_or("configuration"), key, expected)
    }
}

fn read_variable(name: &str, rest: &str, text: &str, defaults: &Value) -> Result<Layer, Error> {
    let key = rest.to_lowercase().replace(NEST, ".");
    if key.split('.').any(str::is_empty) {
        let example = format!("{PREFIX}SERVER{NEST}LISTEN");
        return Err(Error::new(name, &key, format!("expected a name as in {example}")));
    }
    let value = typed(text, defaults.find_ref(&key));
    let values = figment::util::nest(&key, value).into_dict().expect("a nested value has a key");
    Ok(Layer { name: name.to_owned(), values })
}

/// Parses `text` as the type of the default `like`. A string stays one: a password of digits is not a
/// number.
fn typed(text: &str, like: Option<&Value>) -> Value {
    let given = match like {
        Some(Value::Num(_, Num::F64(_) | Num::F32(_))) => text.parse::<f64>().ok().map(Value::from),
        Some(Value::Num(..)) => text.parse::<i64>().ok().map(Value::from),
        Some(Value::Bool(..)) => text.parse::<bool>().ok().map(Value::from),
        Some(Value::Array(..)) => list(text),
        _ => None,
    };
    given.unwrap_or_else(|| Value::from(text))
}

/// Parses a list in JSON, or its only element.
fn list(text: &str) -> Option<Value> {
    let elements: Vec<serde_json::Value> = match text.trim() {
        "" => Vec::new(),
        json if json.starts_with('[') => serde_json::from_str(json).ok()?,
        one => vec![one.into()],
    };
    Value::serialize(elements).ok()
}
