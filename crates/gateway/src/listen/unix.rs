//! Listening unix sockets. Access is decided by the permissions of their file.
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

/// Owner and group may connect; the group and the directory decide about others.
const MODE: u32 = 0o660;

/// Cannot listen on a path.
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

/// A socket and its file, which is removed on drop.
#[derive(Debug)]
pub(crate) struct UnixSocketListener {
    // Dropped before the listener: while that is open, no other process takes the path.
    _file: SocketFile,
    listener: UnixListener,
}

/// Identity of the file that was made; another may be at the path by now.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

// === impl UnixSocketListener ===

impl UnixSocketListener {
    /// Listens on `path`. Replaces a stale socket.
    pub(crate) fn open(path: &Path) -> Result<Self, UnixListenError> {
        let open = || {
            clear(path)?;
            let socket = UnixSocket::new_stream()?;
            socket.bind(path)?;
            let made = fs::symlink_metadata(path)?;
            let (device, inode) = (made.dev(), made.ino());
            let file = SocketFile { path: path.to_owned(), device, inode };
            // Before it listens, so that no client connects with another mode.
            fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
            Ok(Self { _file: file, listener: socket.listen(BACKLOG)? })
        };
        open().map_err(|cause| UnixListenError { path: path.to_owned(), cause })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

/// Removes the socket of a process that crashed.
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
