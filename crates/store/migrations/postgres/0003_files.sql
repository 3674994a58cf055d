-- Files that are being stored, or were until not long ago: what a kill leaves is found here.
CREATE TABLE pending_files (
    file_path TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);
CREATE INDEX pending_files_created_at ON pending_files (created_at);

-- What somebody else calls theirs is nobody's business: names are each user's own.
ALTER TABLE downloads DROP CONSTRAINT downloads_pkey;
CREATE UNIQUE INDEX downloads_name ON downloads (name, COALESCE(user_id, ''));
