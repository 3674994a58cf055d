-- Files that are being stored, or were until not long ago: what a kill leaves is found here.
CREATE TABLE pending_files (
    file_path TEXT PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_files_created_at ON pending_files (created_at);

-- What somebody else calls theirs is nobody's business: names are each user's own.
CREATE TABLE downloads_of_users (
    file_path TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO downloads_of_users (file_path, name, user_id, size, created_at)
    SELECT file_path, name, user_id, size, created_at FROM downloads;
DROP TABLE downloads;
ALTER TABLE downloads_of_users RENAME TO downloads;
CREATE INDEX downloads_created_at ON downloads (created_at);
CREATE UNIQUE INDEX downloads_name ON downloads (name, COALESCE(user_id, ''));
