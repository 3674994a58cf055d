//! Whether something can be written in a folder, found out by writing.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A name that nothing else has.
const PROBE: &str = ".quadrille.probe";

/// What is written.
const BLOCK: [u8; 4096] = [0; 4096];

/// Write something in `folder`, which is there, and remove it.
pub(crate) fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(PROBE);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    let mut file = file?;
    let written = file.write_all(&BLOCK);
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// Whether `folder` can be written in, or else be made. Gives the folder that cannot.
pub fn check_folder(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let mut nearest = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    while matches!(nearest.symlink_metadata(), Err(why) if why.kind() == io::ErrorKind::NotFound) {
        nearest = match nearest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    probe(nearest).map_err(|why| (nearest.to_owned(), why))
}

/// Whether the file at `path`, or its folder if it is not there, can be written to.
pub(crate) fn check_file(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    if path.exists() {
        let opened = OpenOptions::new().append(true).open(path);
        opened.map_err(|why| (path.to_owned(), why))?;
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
        let (folder, why) = check_folder(&file.join("below")).unwrap_err();
        assert_eq!((folder, why.kind()), (file.join("below"), io::ErrorKind::NotADirectory));
        assert_eq!(check_folder(&file).unwrap_err().0, file);
        check_file(&file).unwrap();
        assert_eq!(check_file(&file.join("db")).unwrap_err().0, file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
    }
}
