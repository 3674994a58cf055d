//! Arguments as clients send them: `null` means the default, a wrong type is an error that names
//! the argument, and unknown arguments are noted.
use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use crate::error::BadArguments;

/// Notes on arguments, besides their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
    /// Number of unknown arguments, also beyond those that are named.
    unknown: usize,
}

/// Unknown members of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct UnknownMembers(IndexMap<String, IgnoredAny>);

/// Arguments that can list their unknown members.
pub(crate) trait ReportUnknown {
    fn report_unknown(&self, notes: &mut Notes);
}

/// Most unknown arguments that are named.
const MAX_NAMED: usize = 20;

/// Argument of all operations that read a workbook.
pub(crate) const SHEET_ARGUMENT: &str = "sheet_name";

// === impl Notes ===

impl Notes {
    /// Notes that the argument at `path` has no effect.
    pub(crate) fn unknown(&mut self, path: &str) {
        self.unknown += 1;
        match self.unknown {
            ..=MAX_NAMED => {
                let path: String = path.chars().take(200).collect();
                self.warnings.push(format!("unknown argument `{path}` is ignored"));
            }
            more if more == MAX_NAMED + 1 => {
                self.warnings.push("more unknown arguments are ignored".to_owned());
            }
            _ => {}
        }
    }

    /// Notes all `members` of the object at `path`.
    pub(crate) fn unknown_members(&mut self, path: &str, UnknownMembers(members): &UnknownMembers) {
        for name in members.keys() {
            match path {
                "" if name == SHEET_ARGUMENT => {}
                "" => self.unknown(name),
                path => self.unknown(&format!("{path}.{name}")),
            }
        }
    }
}

/// Reads the arguments of an operation from a JSON object, and notes the unknown ones.
pub(crate) fn read<T: DeserializeOwned + ReportUnknown>(
    json: &str,
    notes: &mut Notes,
) -> Result<T, BadArguments> {
    let arguments: T = object(json)?;
    arguments.report_unknown(notes);
    Ok(arguments)
}

/// Reads the name of the sheet, if there is one.
pub(crate) fn sheet(json: &str) -> Result<Option<String>, BadArguments> {
    #[derive(Deserialize)]
    struct SheetArgument {
        sheet_name: Option<String>,
    }
    let SheetArgument { sheet_name } = object(json)?;
    Ok(sheet_name.filter(|name| !name.trim().is_empty()))
}

fn object<T: DeserializeOwned>(json: &str) -> Result<T, BadArguments> {
    let json = if json.trim().is_empty() || json.trim() == "null" { "{}" } else { json };
    // serde would read a list as an object without names.
    if !json.trim_start().starts_with('{') {
        let found = match serde_json::from_str(json) {
            Ok(Value::Array(_)) => "found a list",
            Ok(_) => "found a single value",
            Err(_) => "it is not valid JSON",
        };
        return Err(BadArguments::NotAnObject { reason: found.to_owned() });
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let argument = error.path().to_string();
        let reason = reason(&error.into_inner());
        if argument == "." {
            BadArguments::NotAnObject { reason }
        } else {
            BadArguments::Wrong { argument, reason }
        }
    })
}

/// Returns the message of `error` without its position.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason).to_owned()
}

/// Deserializes a field, with `null` as its default.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
