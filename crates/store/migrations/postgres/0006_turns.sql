-- Turns of every topic. Question and text are NULL where a message of a conversation has them.
ALTER TABLE turns
    ADD COLUMN topic TEXT,
    ADD COLUMN user_id TEXT,
    ADD COLUMN agent TEXT,
    ADD COLUMN question TEXT,
    ADD COLUMN text TEXT,
    ADD COLUMN code TEXT,
    ADD COLUMN title TEXT,
    ADD COLUMN details TEXT,
    -- Whether readers of the topic have yet to be told the end, by the next start.
    ADD COLUMN untold BOOLEAN NOT NULL DEFAULT FALSE,
    ALTER COLUMN conversation_id DROP NOT NULL,
    ALTER COLUMN question_id DROP NOT NULL,
    DROP CONSTRAINT turns_state_check;
-- The message of a reply that failed is no text of the agent.
UPDATE turns AS t
SET topic = 'room:' || t.conversation_id, user_id = COALESCE(q.user_id, ''), agent = '',
    text = CASE WHEN t.state IN ('failed', 'interrupted') THEN '' END,
    state = CASE WHEN t.state = 'interrupted' THEN 'failed' ELSE t.state END,
    code = CASE WHEN t.state = 'interrupted' THEN 'interrupted' END
FROM messages AS q WHERE q.id = t.question_id;
ALTER TABLE turns
    ALTER COLUMN topic SET NOT NULL,
    ALTER COLUMN user_id SET NOT NULL,
    ALTER COLUMN agent SET NOT NULL,
    ADD CONSTRAINT turns_state_check
        CHECK (state IN ('open', 'completed', 'failed', 'cancelled'));
CREATE INDEX turns_topic ON turns (topic, ended_at);
CREATE INDEX turns_untold ON turns (ended_at) WHERE untold;
CREATE INDEX turns_ended_at ON turns (ended_at) WHERE conversation_id IS NULL;

-- Text of turns that are open, in the order of `start`.
CREATE TABLE turn_segments (
    turn_id UUID NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    start BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (turn_id, start)
);

-- The turn of each idempotency key.
CREATE TABLE turn_keys (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    turn_id UUID NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX turn_keys_turn_id ON turn_keys (turn_id);
CREATE INDEX turn_keys_created_at ON turn_keys (created_at);
INSERT INTO turn_keys (user_id, key, turn_id, created_at)
    SELECT k.user_id, k.key, t.id, k.created_at
    FROM idempotency_keys AS k JOIN turns AS t ON t.question_id = k.message_id
    ORDER BY k.created_at DESC
    ON CONFLICT (user_id, key) DO NOTHING;
