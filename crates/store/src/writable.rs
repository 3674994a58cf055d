//! Checks by writing that a folder is writable.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Name of the file that is written.
const PROBE_FILE: &str = ".quadrille.probe";

/// Content of the file that is written.
const PROBE_BYTES: [u8; 4096] = [0; 4096];

/// Writes a file in an existing `folder`, and removes it.
pub(crate) fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(PROBE_FILE);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    let mut file = file?;
    let written = file.write_all(&PROBE_BYTES);
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// Checks that `folder` is writable, or can be created. The error names the folder that is not
/// writable.
pub fn check_folder(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let mut nearest = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    while matches!(nearest.symlink_metadata(), Err(err) if err.kind() == io::ErrorKind::NotFound) {
        nearest = match nearest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    probe(nearest).map_err(|err| (nearest.to_owned(), err))
}

/// Checks that the file at `path` is writable, or else its folder.
pub(crate) fn check_file(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    if path.exists() {
        let opened = OpenOptions::new().append(true).open(path);
        opened.map_err(|err| (path.to_owned(), err))?;
    }
    check_folder(path.parent().unwrap_or(Path::new("")))
}

#[cfg(test)]
mod tests {
    use e2e::scratch::Scratch;

    use super::*;

    #[test]
    fn a_folder_is_good_if_it_can_be_written_in_or_made_and_nothing_is_left_of_it() {
        let home = Scratch::new();
        check_folder(home.path()).unwrap();
        check_folder(&home.path().join("a/b/c")).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        let (folder, err) = check_folder(&file.join("below")).unwrap_err();
        assert_eq!((folder, err.kind()), (file.join("below"), io::ErrorKind::NotADirectory));
        assert_eq!(check_folder(&file).unwrap_err().0, file);
        check_file(&file).unwrap();
        assert_eq!(check_file(&file.join("db")).unwrap_err().0, file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
    }
}
