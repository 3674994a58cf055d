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

/// Connections that the kernel holds until they are accepted: enough for all clients of a busy
/// node coming back at once. The kernel lowers it to `net.core.somaxconn`.
pub(super) const BACKLOG: u32 = 4096;

/// Its owner and group may connect. Whom else to let in is decided by the directory and its group.
const MODE: u32 = 0o660;

/// Cannot listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on unix:{}: {cause}", .path.display())]
pub(crate) struct UnixListenError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("a program listens there; stop it, or choose another path in server.listen")]
    Alive,
    #[error("there is something that is no socket; remove it, or choose another path")]
    Foreign,
    #[error("{0}; choose a path in a directory that exists and can be written to")]
    Other(#[from] io::Error),
}

/// A socket and its file, which goes when this does.
#[derive(Debug)]
pub(crate) struct UnixSocketListener {
    // Before the listener: while that is open, nobody else takes the path.
    _file: SocketFile,
    listener: UnixListener,
}

/// What was made at a path; there may be something else by now.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

// === impl UnixSocketListener ===

impl UnixSocketListener {
    /// Listen at `path`, in place of a socket that nobody listens on.
    pub(crate) fn open(path: &Path) -> Result<Self, UnixListenError> {
        let open = || {
            clear(path)?;
            let socket = UnixSocket::new_stream()?;
            socket.bind(path)?;
            let made = fs::symlink_metadata(path)?;
            let (device, inode) = (made.dev(), made.ino());
            let file = SocketFile { path: path.to_owned(), device, inode };
            // Nobody can connect before it listens, so nobody slips in before this.
            fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
            Ok(Self { _file: file, listener: socket.listen(BACKLOG)? })
        };
        open().map_err(|cause| UnixListenError { path: path.to_owned(), cause })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

/// Remove what a process left that could not tidy up.
fn clear(path: &Path) -> Result<(), Cause> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(err.into()),
    };
    if !there.file_type().is_socket() {
        return Err(Cause::Foreign);
    }
    match Probe::connect(path) {
        Ok(_) => Err(Cause::Alive),
        Err(err) if err.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(err) => Err(err.into()),
    }
}

// === impl SocketFile ===

impl Drop for SocketFile {
    fn drop(&mut self) {
        let same =
            |metadata: &fs::Metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| same(&metadata))
            && let Err(err) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, error = %err, "cannot remove the socket; it is harmless");
        }
    }
}
