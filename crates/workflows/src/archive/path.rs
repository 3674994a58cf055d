//! What an entry of an archive is, by its path. Nothing of the path is used on a disk.
use quadrille_store::Place;

use super::{FULL_METADATA, METADATA};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Metadata,
    FullMetadata,
    File(Place, &'a str),
    /// A folder that chats have.
    Folder,
}

/// The entry at `path`, and the folder that everything is in, as in archives of the original.
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
    if parts.iter().any(|it| it.is_empty() || *it == ".") {
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

/// The place and the name at the end of a path, as clients are told paths of files.
pub(super) fn last(path: &str) -> Option<(Place, &str)> {
    let (rest, name) = path.rsplit_once('/')?;
    let place = rest.rsplit_once('/').map_or(rest, |(_, place)| place);
    Some((Place::parse(place)?, name))
}
