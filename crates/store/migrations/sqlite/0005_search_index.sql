-- Search reads the messages of one user and needs no index of everybody's words.
DROP TRIGGER messages_added;
DROP TRIGGER messages_deleted;
DROP TRIGGER messages_changed;
DROP TABLE message_words;
