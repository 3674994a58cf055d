-- Times are Unix milliseconds.
CREATE TABLE chats (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    participant_name TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('created', 'active', 'processing', 'completed', 'failed', 'archived')),
    partition_key TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    -- What the bot is waiting for, as JSON.
    dialogue TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX chats_created_at ON chats (created_at);
CREATE INDEX chats_user_id ON chats (user_id, created_at);

CREATE TABLE chat_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL UNIQUE,
    chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    message_type TEXT NOT NULL CHECK (
        message_type IN ('user', 'system', 'file_upload', 'step_result', 'error', 'progress')
    ),
    content TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX chat_messages_chat_id ON chat_messages (chat_id, id);

CREATE TABLE chat_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    place TEXT NOT NULL CHECK (place IN ('uploads', 'intermediate', 'outputs')),
    name TEXT NOT NULL,
    file_path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (chat_id, name)
) STRICT;

CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,
    chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    origin TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'interrupted')
    ),
    -- Counts what observers were told of.
    seq INTEGER NOT NULL DEFAULT 0,
    total_steps INTEGER NOT NULL,
    next_step INTEGER NOT NULL DEFAULT 0,
    -- Who does the next step: a worker of the server, or somebody else.
    next_kind TEXT NOT NULL CHECK (next_kind IN ('internal', 'external')),
    error TEXT,
    cancel INTEGER NOT NULL DEFAULT FALSE CHECK (cancel IN (FALSE, TRUE)),
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_owner BLOB,
    lease_until INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_chat_id ON runs (chat_id, created_at);
CREATE INDEX runs_open ON runs (created_at) WHERE status IN ('pending', 'running');
CREATE UNIQUE INDEX runs_one_for_each_chat ON runs (chat_id) WHERE status = 'running';

CREATE TABLE run_steps (
    id BLOB PRIMARY KEY NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    operation TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('internal', 'external')),
    arguments TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'skipped')
    ),
    progress INTEGER NOT NULL DEFAULT 0,
    input_file INTEGER REFERENCES chat_files (id) ON DELETE SET NULL,
    output_file INTEGER REFERENCES chat_files (id) ON DELETE SET NULL,
    result TEXT,
    error TEXT,
    -- Who does an external step at present.
    claim BLOB,
    worker TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    completed_at INTEGER,
    UNIQUE (run_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE downloads (
    name TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    file_path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX downloads_created_at ON downloads (created_at);
