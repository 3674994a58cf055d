//! The limit of open files: every connection is one, and the usual soft limit is 1024.
use quadrille_core::Limits;

/// Files that the process needs besides those of connections.
const OWN_FILES: usize = 64;

/// Raises the soft limit to the hard one. Logs a warning if `limits` need more.
pub(crate) fn raise(limits: &Limits) {
    let wanted = u64::try_from(needed(limits)).unwrap_or(u64::MAX);
    let raised = rlimit::Resource::NOFILE
        .get()
        .and_then(|(_, hard)| rlimit::Resource::NOFILE.set(hard, hard).map(|()| hard));
    match raised {
        Ok(files) if files >= wanted => {}
        Ok(files) => tracing::warn!(
            files,
            wanted,
            "fewer files may be open than limits.connections and limits.http_connections need; \
             raise the hard limit of open files (ulimit -Hn, LimitNOFILE), or lower them"
        ),
        Err(err) => tracing::warn!(error = %err, "cannot raise the limit of open files"),
    }
}

/// Number of files that may be open with these limits.
pub(crate) fn needed(limits: &Limits) -> usize {
    limits.connections.saturating_add(limits.http_connections).saturating_add(OWN_FILES)
}
