-- Turns of every topic. Question and text are NULL where a message of a conversation has them.
-- Times are Unix milliseconds.
CREATE TABLE turns_of_topics (
    id BLOB PRIMARY KEY NOT NULL,
    topic TEXT NOT NULL,
    user_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    question TEXT,
    text TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'completed', 'failed', 'cancelled')),
    code TEXT,
    title TEXT,
    details TEXT,
    -- Whether readers of the topic have yet to be told the end, by the next start.
    untold INTEGER NOT NULL DEFAULT FALSE CHECK (untold IN (FALSE, TRUE)),
    conversation_id INTEGER REFERENCES conversations (id) ON DELETE CASCADE,
    question_id INTEGER UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
    reply_id INTEGER REFERENCES messages (id) ON DELETE SET NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
-- The message of a reply that failed is no text of the agent.
INSERT INTO turns_of_topics (
    id, topic, user_id, agent, text, state, code, conversation_id, question_id, reply_id, started_at,
    ended_at
)
    SELECT t.id, 'room:' || t.conversation_id, COALESCE(q.user_id, ''), '',
        CASE WHEN t.state IN ('failed', 'interrupted') THEN '' END,
        CASE WHEN t.state = 'interrupted' THEN 'failed' ELSE t.state END,
        CASE WHEN t.state = 'interrupted' THEN 'interrupted' END,
        t.conversation_id, t.question_id, t.reply_id, t.started_at, t.ended_at
    FROM turns AS t JOIN messages AS q ON q.id = t.question_id;
DROP TABLE turns;
ALTER TABLE turns_of_topics RENAME TO turns;
CREATE INDEX turns_topic ON turns (topic, ended_at);
CREATE INDEX turns_conversation_id ON turns (conversation_id);
CREATE INDEX turns_reply_id ON turns (reply_id);
CREATE INDEX turns_open ON turns (started_at) WHERE state = 'open';
CREATE INDEX turns_untold ON turns (ended_at) WHERE untold;
CREATE INDEX turns_ended_at ON turns (ended_at) WHERE conversation_id IS NULL;

-- Text of turns that are open, in the order of `start`.
CREATE TABLE turn_segments (
    turn_id BLOB NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (turn_id, start)
) STRICT, WITHOUT ROWID;

-- The turn of each idempotency key.
CREATE TABLE turn_keys (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    turn_id BLOB NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX turn_keys_turn_id ON turn_keys (turn_id);
CREATE INDEX turn_keys_created_at ON turn_keys (created_at);
INSERT INTO turn_keys (user_id, key, turn_id, created_at)
    SELECT k.user_id, k.key, t.id, k.created_at
    FROM idempotency_keys AS k JOIN turns AS t ON t.question_id = k.message_id
    ORDER BY k.created_at DESC
    ON CONFLICT (user_id, key) DO NOTHING;
