-- Files that are being stored, or were until not long ago: what a kill leaves is found here.
CREATE TABLE pending_files (
    file_path TEXT PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_files_created_at ON pending_files (created_at);
