//! Classifies the entries of an archive by path. No part of the path is used on disk.
use std::borrow::Cow;

use quadrille_store::{Place, files::Files};

use super::{FULL_METADATA, METADATA};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Metadata,
    FullMetadata,
    File(Place, &'a str),
    /// A folder of a chat.
    Folder,
}

/// Files that operating systems add, besides hidden ones.
const SYSTEM_FILES: [&str; 6] =
    ["__MACOSX", "Icon\r", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN"];

/// Whether an operating system added the entry when the archive was packed again, such as `._name`
/// and `.DS_Store`. No file of a chat has a hidden name; for names that a chat may have, see
/// [`is_stray`].
pub(super) fn is_companion(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<_> = path.split('/').collect();
    if parts.contains(&"..") {
        return false;
    }
    let hidden = |part: &&str| part.len() > 1 && part.starts_with('.');
    let named = match parts.as_slice() {
        [.., place, name] if Place::parse(place).is_some() => {
            &["__MACOSX", "Icon\r"].contains(name)
        }
        [.., name] => &SYSTEM_FILES.contains(name),
        [] => &false,
    };
    let within = |part: &&str| matches!(*part, "__MACOSX" | "@eaDir" | "$RECYCLE.BIN");
    *named || parts.iter().any(hidden) || parts.iter().any(within)
}

/// Whether a file is ignored unless the description lists it.
pub(super) fn is_stray(name: &str) -> bool {
    SYSTEM_FILES.contains(&name)
}

/// Classifies `path`. Also returns the folder around everything, as archives of the original have.
pub(super) fn parse(path: &str) -> Result<(Option<&str>, Entry<'_>), &'static str> {
    if path.starts_with('/') {
        return Err("whose path is absolute");
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.contains(['\\', '\0']) {
        return Err("whose path has a character that names of files have not");
    }
    let parts: Vec<_> = path.split('/').collect();
    if parts.contains(&"..") {
        return Err("whose path leaves the archive");
    }
    if parts.iter().any(|part| part.is_empty() || *part == ".") {
        return match path {
            "" | "." => Ok((None, Entry::Folder)),
            _ => Err("whose path has an empty part"),
        };
    }
    if let Some(entry) = entry(&parts) {
        return Ok((None, entry));
    }
    match parts.split_first() {
        Some((folder, [])) => Ok((Some(folder), Entry::Folder)),
        Some((folder, rest)) => match entry(rest) {
            Some(entry) => Ok((Some(folder), entry)),
            None => Err("which is in no folder of a chat"),
        },
        None => Err("which has no path"),
    }
}

fn entry<'a>(parts: &[&'a str]) -> Option<Entry<'a>> {
    match parts {
        [METADATA] => Some(Entry::Metadata),
        [FULL_METADATA] => Some(Entry::FullMetadata),
        [place] => Place::parse(place).map(|_| Entry::Folder),
        [place, name] => Some(Entry::File(Place::parse(place)?, name)),
        _ => None,
    }
}

/// Place and name at the end of a path as clients know it.
pub(super) fn last(path: &str) -> Option<(Place, Cow<'_, str>)> {
    let (rest, name) = path.rsplit_once('/')?;
    let place = rest.rsplit_once('/').map_or(rest, |(_, place)| place);
    Some((Place::parse(place)?, Files::composed(name)))
}
