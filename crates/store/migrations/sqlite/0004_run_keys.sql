-- Which run an idempotency key began, or tried again. Times are Unix milliseconds.
CREATE TABLE run_keys (
    chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    -- Empty where nobody signs in.
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    -- A digest of what was asked for.
    request TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (chat_id, user_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_keys_run_id ON run_keys (run_id);
CREATE INDEX run_keys_created_at ON run_keys (created_at);

-- A digest of what a worker brought, to know it again.
ALTER TABLE run_steps ADD COLUMN brought TEXT;
