//! A unix socket: a file that whoever may write to it can connect to.
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as Probe,
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::listen::BACKLOG;

/// Its owner and group may connect. Whom else to let in is decided by the directory and its group.
const MODE: u32 = 0o660;

/// Cannot listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on unix:{}: {why}", .path.display())]
pub(crate) struct Unavailable {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("a program listens there; stop it, or choose another path in server.listen")]
    Alive,
    #[error("there is something that is no socket; remove it, or choose another path")]
    Foreign,
    #[error("{0}; choose a path in a directory that exists and can be written to")]
    Other(#[from] io::Error),
}

/// A socket and its file, which goes when this does.
#[derive(Debug)]
pub(crate) struct UnixDoor {
    // Before the listener: while that is open, nobody else takes the path.
    _file: File,
    listener: UnixListener,
}

/// What was made at a path; there may be something else by now.
#[derive(Debug)]
struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
}

// === impl UnixDoor ===

impl UnixDoor {
    /// Listen at `path`, in place of a socket that nobody listens on.
    pub(crate) fn open(path: &Path) -> Result<Self, Unavailable> {
        let open = || {
            clear(path)?;
            let socket = UnixSocket::new_stream()?;
            socket.bind(path)?;
            let made = fs::symlink_metadata(path)?;
            let (device, inode) = (made.dev(), made.ino());
            let file = File { path: path.to_owned(), device, inode };
            // Nobody can connect before it listens, so nobody slips in before this.
            fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
            Ok(Self { _file: file, listener: socket.listen(BACKLOG)? })
        };
        open().map_err(|why| Unavailable { path: path.to_owned(), why })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

/// Remove what a process left that could not tidy up.
fn clear(path: &Path) -> Result<(), Why> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(why.into()),
    };
    if !there.file_type().is_socket() {
        return Err(Why::Foreign);
    }
    match Probe::connect(path) {
        Ok(_) => Err(Why::Alive),
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(why) => Err(why.into()),
    }
}

// === impl File ===

impl Drop for File {
    fn drop(&mut self) {
        let same = |it: &fs::Metadata| (it.dev(), it.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(|it| same(&it))
            && let Err(why) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, error = %why, "cannot remove the socket; it is harmless");
        }
    }
}
